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

// As the server sent them, but for the moment at which it did.
const saidBy = (part) => part.outerHTML.replace(/(name="at" value|data-now)="[^"]*"/g, "");
const sent = new Map($$("[data-part]").map((part) => [part.id, saidBy(part)]));
let mayActFrom = 0; // a key that acts waits a moment after the thread has changed under the eyes

// What somebody is about to do is not changed under his hands: it is shown anew when he has done.
function isBusy(part) {
  return Boolean($(".editor[open], .menu[open]", part)) || $$("textarea, input", part).some(isWritten);
}

function isWritten(field) {
  return field.matches("textarea, input:not([type=checkbox], [type=radio], [type=hidden])") && field.value !== field.defaultValue;
}

// Nodes that are there before and after stay where they are, with the focus, the folds that are open, and the letters
// in their frames; only what differs is changed.
const KEPT = new Set(["open", "src", "disabled"]); // what people and this script change, not the server

function keysOf(nodes) {
  const count = new Map();
  return [...nodes].map((one) => {
    const told = one.nodeType === 1 ? one.id || ["action", "href", "name", "for"].map((name) => one.getAttribute(name)).find(Boolean) || "" : "";
    const key = `${one.nodeName} ${told}`, n = count.get(key) ?? 0;
    count.set(key, n + 1);
    return `${key} ${n}`;
  });
}

function become(old, fresh) {
  if (old.nodeType !== 1) { if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue; return; }
  const isField = old.matches("textarea, input"), wasWritten = isField && isWritten(old);
  if (old.type === "checkbox" && old.value !== fresh.value) old.checked = false; // ticked was another state of the thread
  for (const { name } of [...old.attributes]) if (!KEPT.has(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (!KEPT.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  becomeInside(old, fresh);
  if (old.matches("textarea") && !wasWritten) old.value = old.defaultValue;
}

function becomeInside(old, fresh) {
  const wanted = [...fresh.childNodes], wantedKeys = keysOf(wanted), all = new Set(wantedKeys);
  const children = [...old.childNodes], keys = keysOf(children), there = new Map();
  children.forEach((one, n) => { if (all.has(keys[n])) there.set(keys[n], one); else one.remove(); });
  let at = old.firstChild;
  wanted.forEach((want, n) => {
    const found = there.get(wantedKeys[n]);
    if (found) become(found, want);
    if (found && found === at) at = at.nextSibling;
    else old.insertBefore(found ?? document.adoptNode(want), at);
  });
}

function focusBeside(rows, row) {
  const at = rows.indexOf(row);
  const beside = [...rows.slice(at + 1), ...rows.slice(0, Math.max(at, 0)).reverse()].find((one) => one.isConnected);
  ((at >= 0 && beside && $("a, button", beside)) || $("#main")).focus({ preventScroll: true });
}

function renew(old, fresh) {
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const rows = $$("li[id]", old), row = focused?.closest("li[id]");
  const letter = $(".plain pre", old)?.textContent;
  become(old, fresh);
  if (letter !== undefined && $("#answer-frame", old) && $(".plain pre", old)?.textContent !== letter) frame();
  if (focused && !focused.isConnected) focusBeside(rows, row);
  else if (focused && focused !== document.activeElement) focused.focus({ preventScroll: true }); // its row has moved
}

function isOfAnother(part) { // a draft that was not kept from here
  return part.id === "answer" && $("input[name=draft_at]", part)?.value !== $("#answer input[name=draft_at]")?.value;
}

let mustShowAgain = false; // a part was left as it was
function swap(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  let changed = false;
  mustShowAgain = false;
  for (const part of $$("[data-part]", fresh)) {
    const old = document.getElementById(part.id);
    const said = saidBy(part);
    if (!old || sent.get(part.id) === said) continue;
    if (isBusy(old)) { mustShowAgain = true; changed ||= isOfAnother(part); continue; }
    renew(old, part);
    sent.set(part.id, said);
    changed ||= part.id === "talk";
  }
  countDown();
  return changed;
}

document.addEventListener("toggle", (event) => {
  if (!event.target.open && event.target.matches(mustShowAgain ? ".editor, .menu" : ".editor")) refresh();
}, true);

let isAsking = false, mustAskAgain = false;
async function refresh() {
  if (document.hidden || isAsking) { mustAskAgain = true; return; }
  isAsking = true; mustAskAgain = false;
  try {
    const answer = await fetch(location.href, { headers: PARTIAL });
    if (answer.status === 401) return signedOut();
    if (answer.redirected && new URL(answer.url).pathname !== location.pathname) return location.assign(answer.url);
    if (answer.ok) signedIn();
    if (answer.ok && swap(await answer.text()) && thread) {
      mayActFrom = performance.now() + 1500;
      say("This thread has changed just now. Look at it before you act.");
    }
  } catch { /* the server is away; the next event, or the next minute, asks again */ } finally { isAsking = false; }
  if (mustAskAgain) refresh();
}

// A browser has six connections to one host, and an open stream takes one: a page that nobody sees lets go of its own.
let events = null, heard = newest;
function listen() {
  if (events || newest === undefined || document.hidden) return;
  events = new EventSource(`/live?after=${heard}`);
  events.addEventListener("message", (event) => {
    const { newest: at, threads } = JSON.parse(event.data);
    heard = at;
    if (!thread || threads.includes(thread)) refresh();
  });
  events.addEventListener("error", () => { if (events?.readyState === EventSource.CLOSED) deafen(); });
}

function deafen() { events?.close(); events = null; }

if (newest !== undefined) {
  addEventListener("load", () => setTimeout(listen, 50));
  addEventListener("pagehide", deafen);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return deafen();
    listen();
    refresh();
  });
  setInterval(() => { listen(); if (!thread) refresh(); }, 60_000); // what is due becomes overdue
}

// ---------------------------------------------------------------- the session ends while somebody works

function hasWritten() { return isUnkept() || $$("#main textarea, #main input").some(isWritten); }

function signedOut() {
  deafen();
  if (!hasWritten()) return location.reload(); // to the sign-in, and back
  if ($("#signed-out")) return;
  const bar = document.createElement("p"), link = document.createElement("a");
  Object.assign(bar, { id: "signed-out", className: "signed-out" });
  bar.setAttribute("role", "alert");
  Object.assign(link, { href: "/login?next=/account", target: "_blank", rel: "noopener", textContent: "Sign in in a new tab" });
  bar.append("You are signed out, and what you wrote is not kept yet. ", link, ", then come back: it stays here, and is kept then.");
  document.body.append(bar);
}

function signedIn() { $("#signed-out")?.remove(); listen(); }

async function isSignedIn() {
  try { if ((await fetch(location.href, { headers: PARTIAL })).status === 401) return false; } catch { return false; }
  signedIn();
  return true;
}

// ---------------------------------------------------------------- the undo window counts down

const firstSeen = new WeakMap();
function countDown() {
  for (const one of $$(".countdown")) {
    if (firstSeen.get(one)?.now !== one.dataset.now) firstSeen.set(one, { now: one.dataset.now, at: performance.now() });
    const atServer = Date.parse(one.dataset.now) + performance.now() - firstSeen.get(one).at;
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
      if (answer.status === 401) return signedOut();
      const { present } = answer.ok ? await answer.json() : { present: [] };
      const line = $("#present");
      line.hidden = !present.length;
      line.textContent = present.length ? `${present.join(", ")} ${present.length === 1 ? "looks" : "look"} at this too` : "";
    } catch { /* asked again in a moment */ }
  }, 20_000);
}

// ---------------------------------------------------------------- the editor

let written = 0, kept = 0; // changes made, and the last one that the server has
let timer = 0, keeping = Promise.resolve("kept");
function isUnkept() { return written !== kept; }

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

// One after the other, so that an older text never comes last. Resolves to "kept", "refused" or "away".
function save(form) {
  clearTimeout(timer);
  keeping = keeping.then(() => (isUnkept() ? put(form) : "kept"));
  return keeping;
}

async function put(form, keepalive = false) {
  const number = written, body = new FormData(form), says = $("#kept");
  let outcome = "away";
  try {
    const answer = await fetch(`/threads/${form.dataset.thread}/draft`, { method: "POST", headers: PARTIAL, body, keepalive });
    const told = answer.headers.get("content-type")?.includes("json") ? await answer.json() : {};
    if (answer.ok) {
      kept = number;
      for (const one of $$("input[name=draft_at]")) one.value = told.at;
      for (const one of $$("input[name=shown]")) one.value = told.shown;
      $("#markdown").defaultValue = body.get("markdown");
      says.textContent = `Kept at ${new Date().toLocaleTimeString()}`;
      signedIn();
      frame();
      return "kept";
    }
    if (answer.status === 401) signedOut(); else outcome = "refused";
    says.textContent = told.problem ?? (answer.status === 401 ? "Not kept: you are signed out." : "Not kept yet.");
  } catch {
    says.textContent = "Not kept: the server is away.";
  }
  if (outcome === "away") timer = setTimeout(() => save(form), 5000);
  return outcome;
}

document.addEventListener("input", (event) => {
  if (event.target.id === "markdown") {
    written += 1;
    clearTimeout(timer);
    timer = setTimeout(() => save(event.target.form), 700);
  }
  if (event.target.dataset.narrows) narrow(event.target);
  if (event.target.matches("[data-all]")) for (const one of $$("input[form=bulk]")) one.checked = event.target.checked;
});
addEventListener("pagehide", () => { const form = $("#write"); if (form && isUnkept()) put(form, true); });
addEventListener("beforeunload", (event) => { if ($("#signed-out") && hasWritten()) event.preventDefault(); });
document.addEventListener("visibilitychange", () => { const form = $("#write"); if (form && isUnkept() && !document.hidden) save(form); });

// What is written is kept first, then done: nobody sends an older text than the one before his eyes, and where the
// session has ended the text stays on the page instead of being sent to the sign-in.
const mayGo = new WeakSet();
let isLeaving = false;
async function keepThenSubmit(form, button) {
  if (isLeaving) return;
  isLeaving = true;
  const outcome = isUnkept() ? await save($("#write")) : (await isSignedIn()) ? "kept" : "away";
  isLeaving = false;
  if (outcome === "kept" || (outcome === "refused" && form.id === "write")) {
    mayGo.add(form);
    form.requestSubmit(button);
  } else say(`${$("#kept")?.textContent || "You are signed out."} Nothing was done.`);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method === "dialog") return;
  if (form.closest("dialog") && form.getAttribute("role") === "search") {
    event.preventDefault();
    const first = $$("#canned-list > li", form.closest("dialog")).find((one) => !one.hidden);
    if (first) ($("input:not([type=hidden])", first) ?? $("button", first)).focus();
    return;
  }
  const isDiscard = event.submitter?.value === "discard";
  if (form.method === "post" && !isDiscard && !mayGo.delete(form) && (isUnkept() || $("#signed-out"))) {
    event.preventDefault();
    keepThenSubmit(form, event.submitter);
    return;
  }
  if (form.id === "write") { clearTimeout(timer); kept = written; }
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
  const letter = link.target.startsWith("letter-") && $(`iframe[name="${CSS.escape(link.target)}"]`);
  if (letter) { event.preventDefault(); letter.src = link.href; return; }
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
  if (event.key === "a" && $(".editor[open]")) return say("The editor is open: Ctrl Enter sends what stands in it.");
  const target = $$(`[data-key="${CSS.escape(event.key)}"]`).find((one) => one.getClientRects().length && !one.disabled);
  if (!target) return;
  event.preventDefault();
  if (ACTS.has(event.key) && performance.now() < mayActFrom) return say("It has changed just now: look, then press again.");
  press(target);
});
