// Shows what has happened meanwhile. Everything works without it, by reloading.
"use strict";

const EVERY = 4000;

async function refresh() {
    if (document.hidden || document.body.hasAttribute("aria-busy")) return;
    let page;
    try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
        if (!answer.ok) return;
        page = new DOMParser().parseFromString(await answer.text(), "text/html");
    } catch {
        return; // the sandbox was stopped; it may come back
    }
    for (const shown of document.querySelectorAll("[data-live]")) {
        const fresh = page.getElementById(shown.id);
        const isInUse = shown.contains(document.activeElement) && document.activeElement !== document.body;
        if (fresh && !isInUse && fresh.innerHTML !== shown.innerHTML) shown.innerHTML = fresh.innerHTML;
    }
}

setInterval(refresh, EVERY);

// A leap or a fresh start takes a moment: say so, and take no second press.
for (const form of document.querySelectorAll("form[method=post]:not([target])")) {
    form.addEventListener("submit", () => {
        document.body.setAttribute("aria-busy", "true");
        setTimeout(() => form.querySelectorAll("button").forEach((button) => { button.disabled = true; }));
    });
}
// A page that the browser kept and shows again is not busy any more.
addEventListener("pageshow", () => {
    document.body.removeAttribute("aria-busy");
    document.querySelectorAll("button:disabled").forEach((button) => { button.disabled = false; });
});
