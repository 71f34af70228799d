#!/usr/bin/env python3
"""The views that answer to pointer and keyboard, in a real headless browser: what lights up, what sliders change, what is told to a screen
reader, and that twenty outputs of one page leave each other alone.

usage: browser_views.py [--bin build/cinseq]
Needs chromium; without it says so and passes. Only Python's standard library. The last line is "N passed, N failed".
"""
import re

import browser

# Around statements that fill `found`. A map is drawn in the next frame: await frame().
PROBE = """(async () => {
  const found = {}, all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const frame = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  const key = (element, name) => element.dispatchEvent(new KeyboardEvent("keydown", {key: name, bubbles: true, cancelable: true}));
  const lit = root => all("[data-row]", root).map(e => e.style.background);
  await frame();
  %s
  return found;
})()"""


def ask(folder, text, statements, width=1300):
    with browser.opened(folder, text, width) as page:
        return page.run(PROBE % statements)


def test_tokens_light_up(folder):
    found = ask(folder, browser.draw(folder, "attribute", *browser.TRANSLATION, "--view", "tokens"), """
        const [root] = all(".ci-live"), buttons = all("button", root), readout = root.querySelector("[role=status]");
        found.first = lit(root);
        buttons[3].dispatchEvent(new PointerEvent("pointerenter"));
        found.third = lit(root);
        found.said = readout.textContent;
        root.dispatchEvent(new PointerEvent("pointerleave"));
        found.left = lit(root);
        buttons[0].focus();
        key(buttons[0], "ArrowRight");
        found.focused = buttons.indexOf(document.activeElement);
        found.stops = buttons.filter(button => button.tabIndex == 0).length;
        found.pressed = buttons[1].getAttribute("aria-pressed");
        all("span[data-row]", root)[0].dispatchEvent(new PointerEvent("pointerenter"));
        found.chosen = all(".ci-chosen", root).length;
        found.plain = document.querySelector("details.ci-plain").open;""")
    assert any(found["first"]) and found["first"] != found["third"] and found["left"] == found["first"], found
    assert re.match(r"very, probability 0\.\d{3} ← \S+ 0\.\d+, ", found["said"]), found["said"]
    assert (found["focused"], found["stops"], found["pressed"], found["chosen"], found["plain"]) == (1, 1, "true", 1, False), found


def test_sliders_and_keys_move_the_map(folder):
    found = ask(folder, browser.draw(folder, "attribute", *browser.TRANSLATION[:4], "-a", "attention", "--view", "granular"), """
        const grid = document.querySelector(".ci-grid"), cell = grid.querySelector("[role=gridcell]"), pixels = () => grid.querySelector("canvas").toDataURL();
        found.role = grid.getAttribute("role");
        found.named = document.getElementById(grid.getAttribute("aria-activedescendant")) == cell;
        found.size = [grid.getAttribute("aria-rowcount"), grid.getAttribute("aria-colcount")];
        found.before = [cell.textContent, pixels()];
        const sliders = all("input[type=range][data-dimension]"), layer = sliders[0];
        layer.value = 1;
        layer.dispatchEvent(new Event("input"));
        await frame();
        found.sliders = sliders.length;
        found.after = [cell.textContent, pixels()];
        key(grid, "ArrowRight");
        key(grid, "ArrowDown");
        found.walked = cell.textContent;
        const mean = all(".ci-slider input[type=checkbox]")[0];
        mean.click();
        found.mean = cell.textContent;
        const [down] = all("select");
        down.value = 2;
        down.dispatchEvent(new Event("change"));
        found.rows = document.querySelector(".ci-grid").getAttribute("aria-rowcount");""")
    assert found["role"] == "grid" and found["named"] and found["sliders"] == 2 and found["size"] == ["4", "7"], found
    assert found["before"][0].startswith("0 ▁我很, to 0 ▁I: ") and found["before"][0] != found["after"][0], found["before"][0]
    assert found["before"][1] != found["after"][1]
    assert found["walked"].startswith("1 开心, to 1 ': ") and found["mean"] != found["walked"], found
    assert found["rows"] == "3", found["rows"]


def test_a_small_map_is_whole(folder):
    found = ask(folder, browser.draw(folder, "attribute", *browser.TRANSLATION[:4], "-a", "attention", "--view", "layers"), """
        const grid = document.querySelector(".ci-grid"), canvas = grid.querySelector("canvas");
        found.sizes = [[grid.scrollWidth, grid.clientWidth, canvas.clientWidth], [grid.scrollHeight, grid.clientHeight, canvas.clientHeight]];
        const zoom = document.querySelector("input[aria-label='Size of a cell']");
        zoom.value = 0;
        zoom.dispatchEvent(new Event("input"));
        await frame();
        found.small = [grid.scrollWidth - grid.clientWidth, grid.clientWidth - canvas.clientWidth];""")
    assert all(len(set(sizes)) == 1 for sizes in found["sizes"]) and found["small"] == [0, 0], found


def test_what_the_keyboard_reaches_has_a_name(folder):
    for view in ("table", "tokens", "grid", "granular"):
        text = browser.draw(folder, "attribute", *browser.TRANSLATION[:4], "-a", "attention", "--view", view)
        with browser.opened(folder, text, 1300) as page:
            reached = [node for node in page.tree() if node.get("focusable") and node["role"] != "RootWebArea"]
        names = [node["name"] for node in reached]
        assert names and all(names), (view, reached)


def test_twenty_outputs_in_one_page(folder):
    fragments = [browser.draw(folder, "attribute", *browser.TRANSLATION, "--fragment", "--view", view) for view in ("tokens", "granular", "table", "grid")]
    page = '<!DOCTYPE html><meta charset="utf-8"><title></title><p id="mine">text</p><table><tr><td>mine</td></tr></table>' + "".join(5 * fragments)
    assert len(page) < 2_000_000, len(page)
    found = ask(folder, page, """
        const before = all(".cinseq:not(:nth-of-type(1)) [data-row]").map(e => e.style.background).join();
        found.live = all(".ci-live").length;
        found.ready = all(".ci-live[data-ready]").length;
        const ids = all("[id]").map(element => element.id);
        found.ids = [ids.length, new Set(ids).size];
        all("button", all('.ci-live[data-view="tokens"]')[0])[4].dispatchEvent(new PointerEvent("pointerenter"));
        found.apart = all(".cinseq:not(:nth-of-type(1)) [data-row]").map(e => e.style.background).join() == before;
        const style = getComputedStyle(document.querySelector("table td"));
        found.mine = [style.padding, style.textAlign, getComputedStyle(document.getElementById("mine")).fontSize];""")
    assert found["live"] == found["ready"] == 5 * (1 + 2 + 2), found
    assert found["ids"][0] == found["ids"][1] == 1 + 5 * (2 + 2), found
    assert found["apart"] and found["mine"] == ["1px", "start", "16px"], found


if __name__ == "__main__":
    browser.main(globals())
