// What the pages do beyond links and forms: keys, changes as they happen, drafts kept while they are written.
// Rule: everything here has a link or a form that does the same without it. Nothing of another server is loaded.

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const PARTIAL = { "X-Partial": "1" };
const newest = document.body.dataset.newest;
const thread = Number(document.body.dataset.thread || 0);
let quiet = 0;
function say(sentence) {
  $("#status").textContent = sentence;
  clearTimeout(quiet);
  quiet = setTimeout(() => { $("#status").textContent = ""; }, 6000);
}

// ---------------------------------------------------------------- parts of the page, shown anew

const sent = new Map($$("[data-part]").map((part) => [part.id, part.outerHTML])); // as the server sent them
let mayActFrom = 0; // a key that acts waits a moment after the thread has changed under the eyes

function isBusy(part) {
  if ($(".editor[open]", part)) return true;
  const field = document.activeElement;
  return part.contains(field) && field.matches("textarea, input:not([type=checkbox])") && field.value !== field.defaultValue;
}

function keep(part) {
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const row = focused?.closest("li[id]")?.id;
  return {
    open: $$("details[id][open]", part).map((one) => one.id),
    ticked: $$("input[type=checkbox]:checked", part).map((one) => one.value),
    chosen: $$("select[id]", part).map((one) => [one.id, one.value]),
    focus: focused?.id ? `#${CSS.escape(focused.id)}` : row ? `#${CSS.escape(row)} a.open` : null,
  };
}

function restore(part, kept) {
  for (const id of kept.open) { const one = document.getElementById(id); if (one) one.open = true; }
  for (const one of $$("input[type=checkbox][form=bulk]", part)) one.checked = kept.ticked.includes(one.value);
  for (const [id, value] of kept.chosen) { const one = document.getElementById(id); if (one) one.value = value; }
  if (kept.focus) $(kept.focus)?.focus({ preventScroll: true });
}

function swap(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  let changed = false;
  for (const part of $$("[data-part]", fresh)) {
    const old = document.getElementById(part.id);
    const said = part.outerHTML;
    if (!old || sent.get(part.id) === said) continue;
    if (isBusy(old)) { changed ||= part.id === "answer"; continue; }
    const kept = keep(old);
    const new_ = document.adoptNode(part);
    if (old.matches("details") && old.open) new_.open = true;
    old.replaceWith(new_);
    sent.set(part.id, said);
    restore(new_, kept);
    changed ||= part.id === "talk";
  }
  return changed;
}

let isAsking = false, mustAskAgain = false;
async function refresh() {
  if (document.hidden || isAsking) { mustAskAgain = true; return; }
  isAsking = true; mustAskAgain = false;
  try {
    const answer = await fetch(location.href, { headers: PARTIAL });
    if (answer.status === 401) return location.reload();
    if (answer.redirected && new URL(answer.url).pathname !== location.pathname) return location.assign(answer.url);
    if (answer.ok && swap(await answer.text()) && thread) {
      mayActFrom = performance.now() + 1500;
      say("This thread has changed just now. Look at it before you act.");
    }
  } catch { /* the server is away; the next event, or the next minute, asks again */ }
  isAsking = false;
  if (mustAskAgain) refresh();
}

if (newest !== undefined) {
  addEventListener("load", () => setTimeout(() => {
    const events = new EventSource(`/live?after=${newest}`);
    events.addEventListener("message", (event) => {
      const { threads } = JSON.parse(event.data);
      if (!thread || threads.includes(thread)) refresh();
    });
    addEventListener("pagehide", () => events.close());
  }, 50));
  document.addEventListener("visibilitychange", () => { if (!document.hidden && mustAskAgain) refresh(); });
  setInterval(() => { if (!thread) refresh(); }, 60_000); // what is due becomes overdue
}

// ---------------------------------------------------------------- the undo window counts down

const firstSeen = new WeakMap();
function countDown() {
  for (const one of $$(".countdown")) {
    if (!firstSeen.has(one)) firstSeen.set(one, performance.now());
    const atServer = Date.parse(one.dataset.now) + performance.now() - firstSeen.get(one);
    const left = Math.ceil((Date.parse(one.dataset.until) - atServer) / 1000);
    one.textContent = left > 0 ? ` in ${left} s` : " now";
  }
}
countDown();
setInterval(countDown, 1000);

// ---------------------------------------------------------------- who else looks

if (thread) {
  setInterval(async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(`/threads/${thread}/look`, { method: "POST", headers: PARTIAL });
      const { present } = answer.ok ? await answer.json() : { present: [] };
      const line = $("#present");
      line.hidden = !present.length;
      line.textContent = present.length ? `${present.join(", ")} ${present.length === 1 ? "looks" : "look"} at this too` : "";
    } catch { /* asked again in a moment */ }
  }, 20_000);
}

// ---------------------------------------------------------------- the editor

let isDirty = false, timer = 0, saving = null;

function frame() {
  const old = $("#answer-frame");
  const fresh = old ? old.cloneNode() : document.createElement("iframe");
  if (!old) {
    Object.assign(fresh, { id: "answer-frame", className: "letter", title: "The answer as it will arrive", height: 300 });
    fresh.setAttribute("sandbox", "");
    fresh.src = `/threads/${thread}/answer`;
    $("#answer .answer").append(fresh);
  } else old.replaceWith(fresh); // a new frame: going back does not go through every preview
}

async function save(form, keepalive = false) {
  clearTimeout(timer);
  if (!isDirty) return;
  isDirty = false;
  saving = new AbortController();
  const kept = $("#kept");
  try {
    const body = new FormData(form);
    const answer = await fetch(`/threads/${form.dataset.thread}/draft`, { method: "POST", headers: PARTIAL, body, keepalive, signal: saving.signal });
    const told = answer.headers.get("content-type")?.includes("json") ? await answer.json() : {};
    if (answer.ok) {
      form.elements.draft_at.value = told.at;
      kept.textContent = `Kept at ${new Date().toLocaleTimeString()}`;
      frame();
    } else {
      isDirty = true;
      kept.textContent = told.problem ?? (answer.status === 401 ? "Not kept: sign in again in another tab." : "Not kept yet.");
    }
  } catch {
    isDirty = true;
    kept.textContent = "Not kept: the server is away. It is tried again as you write.";
  }
}

document.addEventListener("input", (event) => {
  if (event.target.id === "markdown") {
    isDirty = true;
    clearTimeout(timer);
    timer = setTimeout(() => save(event.target.form), 700);
  }
  if (event.target.dataset.narrows) narrow(event.target);
  if (event.target.matches("[data-all]")) for (const one of $$("input[form=bulk]")) one.checked = event.target.checked;
});
addEventListener("pagehide", () => { const form = $("#write"); if (form && isDirty) save(form, true); });

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method === "dialog") return;
  if (form.closest("dialog") && form.getAttribute("role") === "search") {
    event.preventDefault();
    const first = $$("#canned-list > li", form.closest("dialog")).find((one) => !one.hidden);
    if (first) ($("input:not([type=hidden])", first) ?? $("button", first)).focus();
    return;
  }
  if (form.id === "write") { clearTimeout(timer); isDirty = false; saving?.abort(); }
  if (form.method === "post") setTimeout(() => { for (const one of $$("button", form)) one.disabled = true; });
});
addEventListener("pageshow", () => { for (const one of $$("button:disabled")) one.disabled = false; });

// ---------------------------------------------------------------- canned replies, found by typing

function narrow(field) {
  const words = field.value.toLowerCase().split(/\s+/);
  for (const one of $$("#" + field.dataset.narrows + " > li", field.closest("dialog") ?? document)) {
    one.hidden = !words.every((word) => (one.dataset.words ?? "").includes(word));
  }
}

async function openDialog(link) {
  const answer = await fetch(link.href, { headers: PARTIAL });
  if (!answer.ok) return location.assign(link.href);
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-label", link.textContent.trim());
  const inside = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(link.dataset.dialog);
  dialog.append(document.adoptNode(inside));
  document.body.append(dialog);
  dialog.addEventListener("close", () => { dialog.remove(); link.focus(); });
  dialog.showModal();
  $("input[type=search]", dialog)?.focus();
}

document.addEventListener("click", (event) => {
  for (const menu of $$(".menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  const link = event.target.closest?.("a[href]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (link.dataset.dialog) { event.preventDefault(); openDialog(link); }
  else if (link.getAttribute("href")?.startsWith("#") && !link.matches(".skip")) { event.preventDefault(); reveal($(link.getAttribute("href"))); }
  else if (link.closest("dialog") && link.pathname === location.pathname) { event.preventDefault(); link.closest("dialog").close(); }
});

function reveal(details) {
  details.open = true;
  details.scrollIntoView({ block: "start" });
  $("textarea, select, input:not([type=hidden]), button", details)?.focus({ preventScroll: true });
}

// ---------------------------------------------------------------- keys

const ACTS = new Set(["a", "d", "x"]);
const help = $("#keys"), helpButton = $("#keys-button"), keysOn = $("#keys-on");
if (help) {
  helpButton.hidden = false;
  helpButton.addEventListener("click", () => help.showModal());
  keysOn.checked = localStorage.getItem("keys") !== "off";
  keysOn.addEventListener("change", () => localStorage.setItem("keys", keysOn.checked ? "on" : "off"));
}

function step(by) {
  const rows = $$(".rows a.open, .rows .what a");
  if (!rows.length) return false;
  const at = rows.indexOf(document.activeElement?.closest("li")?.querySelector("a"));
  rows[Math.min(Math.max(at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by, 0), rows.length - 1)].focus();
  return true;
}

function press(target) {
  if (target.matches("input")) { target.focus(); target.select(); }
  else if (target.matches("summary")) {
    const details = target.parentElement;
    details.open = !details.open;
    if (details.open) $("textarea, select, input:not([type=hidden]), button", details)?.focus();
  } else target.click();
}

document.addEventListener("keydown", (event) => {
  const field = event.target;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && field.id === "markdown") {
    event.preventDefault();
    return field.form.requestSubmit($("#send"));
  }
  if (event.key === "Escape") {
    const menu = $(".menu[open]");
    if (menu) { menu.open = false; $("summary", menu).focus(); } else if (field.matches?.("input, textarea, select")) field.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat && ACTS.has(event.key)) return;
  if (field.matches?.("input:not([type=checkbox]), textarea, select") || $("dialog[open]")) return;
  if (event.key !== "?" && keysOn && !keysOn.checked) return;
  if (event.key === "j" && step(1) || event.key === "k" && step(-1)) return event.preventDefault();
  if (event.key === "v") {
    const tick = field.closest?.("li")?.querySelector("input[form=bulk]");
    if (tick) tick.checked = !tick.checked;
    return;
  }
  const target = $$(`[data-key="${CSS.escape(event.key)}"]`).find((one) => one.getClientRects().length && !one.disabled);
  if (!target) return;
  event.preventDefault();
  if (ACTS.has(event.key) && performance.now() < mayActFrom) return say("It has changed just now: look, then press again.");
  press(target);
});
