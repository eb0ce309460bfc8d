// What is wrong with how a page lies in its window; `ours` selects our elements.
(ours) => {
    const width = document.documentElement.clientWidth;
    const name = (element) => {
        const words = (element.textContent || "").trim().replace(/\s+/g, " ").slice(0, 40);
        const classes = [...element.classList].map((each) => "." + each).join("");
        return `<${element.localName}${element.id ? "#" + element.id : ""}${classes}> “${words}”`;
    };
    const style = (element) => getComputedStyle(element);
    const isShown = (element) => {
        const box = element.getBoundingClientRect();
        return box.width > 1 && box.height > 1 && element.checkVisibility({ visibilityProperty: true });
    };
    const scrolls = (element) => /auto|scroll/.test(style(element).overflowX);
    const isInScroller = (element) => {
        for (let up = element.parentElement; up && up !== document.body; up = up.parentElement) if (scrolls(up)) return true;
        return false;
    };
    const owned = [...document.querySelectorAll(ours)].flatMap((root) => [root, ...root.querySelectorAll("*")]);
    const mine = [...new Set(owned)].filter((element) => document.body.contains(element) && isShown(element));

    const found = [];
    for (const root of document.querySelectorAll(ours)) {
        const place = root.parentElement?.getBoundingClientRect();
        const isOut = (element) => isShown(element) && element.getBoundingClientRect().right > place.right + 1 && !isInScroller(element);
        if (place) found.push(...[...root.querySelectorAll("*")].filter(isOut).map((element) => "spills out of its place: " + name(element)));
    }
    for (const element of mine) {
        if (element.getBoundingClientRect().right > width + 1 && !isInScroller(element)) found.push("sticks out: " + name(element));
        const { overflowX, overflowY, textOverflow } = style(element);
        const hasWords = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        if (!hasWords) continue;
        const isCut = /hidden|clip/.test(overflowX) && element.scrollWidth > element.clientWidth + 1;
        const isLow = /hidden|clip/.test(overflowY) && element.scrollHeight > element.clientHeight + 1;
        if (isCut || isLow) found.push(`cut off${textOverflow === "ellipsis" ? " with …" : ""}: ` + name(element));
    }
    return {
        mine: mine.length,
        found: [...new Set(found)],
        scrolls: document.documentElement.scrollWidth > width + 1,
        titles: document.querySelectorAll("title").length && document.title.trim() ? 1 : 0,
        headings: [...document.querySelectorAll("h1")].filter(isShown).length,
        viewport: Boolean(document.querySelector("meta[name=viewport][content*='width=device-width']")),
    };
}
