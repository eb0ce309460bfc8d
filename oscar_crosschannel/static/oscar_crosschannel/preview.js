/* Shows words as they are typed. Without this script the button does it. */
"use strict";
(() => {
    const form = document.getElementById("words");
    const shown = document.getElementById("preview");
    if (!form || !shown) return;
    const PAUSE = 600;  // milliseconds after the last key
    let timer = 0;
    let asked = null;

    async function refresh() {
        if (asked) asked.abort();
        asked = new AbortController();
        const words = new FormData(form);
        words.set("do", "preview");
        words.delete("find");
        try {
            const answer = await fetch(form.action, {method: "POST", body: words, signal: asked.signal});
            if (!answer.ok) return;
            const page = new DOMParser().parseFromString(await answer.text(), "text/html");
            const fresh = page.getElementById("preview");
            if (fresh) shown.replaceChildren(...fresh.childNodes);
        } catch (error) {
            if (error.name !== "AbortError") throw error;
        }
    }

    form.addEventListener("input", (event) => {
        if (!event.target.matches(".cc-words, [name=leave_out]")) return;
        clearTimeout(timer);
        timer = setTimeout(refresh, PAUSE);
    });
})();
