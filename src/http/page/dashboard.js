// Draws what the API reports, every two seconds. Text from posts is inserted as text, never as HTML.
"use strict";

const EVERY = 2000;
const SAMPLES = 150;
const seen = [];
const by = (id) => document.getElementById(id);

function element(name, content, className) {
  const made = document.createElement(name);
  if (className) made.className = className;
  for (const part of [content].flat()) made.append(part instanceof Node ? part : document.createTextNode(part ?? ""));
  return made;
}

/// An address that a person may open: the web and nothing else, whatever a post contains.
function safe(address) {
  try {
    const { href, protocol } = new URL(address);
    return protocol === "https:" || protocol === "http:" ? href : null;
  } catch {
    return null;
  }
}

/// A link to another site, or only its text if the address is not safe.
function link(text, address, className) {
  const href = address && safe(address);
  if (!href) return document.createTextNode(text);
  const made = element("a", text, className);
  made.href = href;
  made.target = "_blank";
  made.rel = "noopener noreferrer";
  return made;
}

const ADDRESS = "https?://[^\\s<>\"“”«»]*[^\\s<>\"“”«».,;:!?)\\]}'’…]";
const literal = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/// A text from a post, with its links and these mentions as links.
function linked(text, mentions = {}) {
  const names = Object.keys(mentions).sort((one, other) => other.length - one.length).map(literal);
  const mention = names.length ? `|(?<![\\w@/])(?:${names.join("|")})(?!\\w)` : "";
  const pattern = new RegExp(ADDRESS + mention, "giu");
  const parts = [];
  let done = 0;
  for (const { 0: found, index } of text.matchAll(pattern)) {
    parts.push(text.slice(done, index), link(found, Object.hasOwn(mentions, found) ? mentions[found] : found));
    done = index + found.length;
  }
  return [...parts, text.slice(done)];
}

/// A cell of a table. On a phone, the cells of a row stand under each other, each behind its label.
function cell(label, content, className) {
  const made = element("td", content, className);
  made.dataset.label = label;
  return made;
}

/// Whom the service takes the viewer for; unknown until it answers.
let me = null;
const ROLES = ["look", "review", "steer"];
const may = (role) => me !== null && ROLES.indexOf(me.role) >= ROLES.indexOf(role);

/// The cookie of the session, which no script can read, goes with every call.
async function call(path, body) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  const answer = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
  if (answer.status === 401) by("token-form").hidden = false;
  // The session has ended, or the role has changed.
  if (answer.status === 401 || answer.status === 403) me = null;
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error ?? `the service answered ${answer.status}`);
  return content;
}

function notify(text) {
  by("notice").textContent = text;
}

/// What a resume or a reload found out about credentials, or else that it is done.
function outcome({ tried = [], secrets = [] } = {}) {
  const found = [...tried.map(({ what, found }) => `${what}: ${found}`),
    ...secrets.map(({ name, in_force, found }) =>
      `${name} changed; ${in_force ? found.join("; ") || "nobody uses it" : "in force from the next start"}`)];
  return found.join(" · ") || "done";
}

async function act(label, act) {
  try {
    notify(`${label}: ${outcome(await act())}`);
  } catch (error) {
    notify(`${label}: ${error.message}`);
  }
  refresh();
}

/// A button for whoever has this role.
function button(text, label, needs, does) {
  const made = element("button", text);
  made.type = "button";
  made.hidden = !may(needs);
  made.setAttribute("aria-label", label);
  made.addEventListener("click", async () => {
    made.disabled = true;
    // Without the focus, the next refresh redraws it.
    made.blur();
    await act(label, does);
    made.disabled = false;
  });
  return made;
}

const count = (stats, name) => stats.counts[name] ?? 0;
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const states = (stats, ...names) => sum(Object.values(stats.jobs).flatMap((jobs) => names.map((name) => jobs[name] ?? 0)));
const errors = (stats, start) => sum(Object.entries(stats.operations).filter(([name]) => name.startsWith(start))
  .flatMap(([, made]) => Object.values(made.errors)));
const calls = (stats, start) => sum(Object.entries(stats.operations).filter(([name]) => name.startsWith(start))
  .map(([, made]) => made.calls));

/// The growth of a number per second between the last two refreshes.
function rate(of) {
  if (seen.length < 2) return 0;
  const [before, now] = seen.slice(-2);
  const passed = now.uptime_seconds - before.uptime_seconds;
  return passed > 0 ? Math.max(0, of(now) - of(before)) / passed : 0;
}

function drawPipeline(stats, actors) {
  const workers = actors.filter((actor) => actor.name.startsWith("translator"));
  const busy = sum(workers.map((actor) => actor.in_hand ?? 0));
  const engines = Object.keys(stats.operations).filter((name) => name.endsWith(".translate"));
  const translated = (stats) => sum(engines.map((name) => stats.operations[name]?.calls ?? 0));
  // The edge into a box shows the flow and its failures.
  const node = (name, lines, flow, wrong) => {
    const box = element("div", element("b", name), "node");
    for (const line of lines) box.append(element("span", line));
    const edge = flow && element("span", flow, "edge");
    if (edge && wrong) edge.append(element("div", `${wrong} failed`, "bad"));
    if (!edge && wrong) box.append(element("span", `${wrong} failed`, "bad"));
    return element("li", edge ? [edge, box] : box);
  };
  const perSecond = (of) => `${rate(of).toFixed(1)}/s`;
  by("pipeline").replaceChildren(
    node("X timeline", [`${calls(stats, "x.read")} polls`], "", errors(stats, "x.read")),
    node("Router", [`${count(stats, "posts.recorded")} posts`, `${states(stats, "queued")} queued`],
      perSecond((s) => count(s, "posts.recorded"))),
    node(`Translators × ${workers.length}`, [`${busy} in progress`, `${count(stats, "cache.hits")} from the cache`],
      perSecond((s) => count(s, "cache.hits") + count(s, "cache.misses"))),
    node("Engines", engines.map((name) => `${name.split(".")[0]}: ${stats.operations[name].calls} calls`),
      perSecond(translated), sum(engines.map((name) => errors(stats, name)))),
    node("Publishers", [`${states(stats, "ready", "publishing", "unknown")} waiting`],
      perSecond((s) => count(s, "items.translated") + count(s, "cache.hits"))),
    node("Published", [`${states(stats, "published")} jobs`, `${states(stats, "held")} held, ${states(stats, "failed")} failed`],
      perSecond((s) => count(s, "jobs.published")), errors(stats, "x.post")),
  );
}

function chart(name, unit, values) {
  const figure = element("figure", "");
  const last = values.at(-1) ?? 0;
  figure.append(element("figcaption", [element("strong", `${last.toFixed(last < 10 ? 1 : 0)} ${unit}`), name]));
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 150 60");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${name}: ${last.toFixed(1)} ${unit}, max ${Math.max(0, ...values).toFixed(1)}`);
  const top = Math.max(...values, 1e-9);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  line.setAttribute("points", values.map((value, at) => `${(150 * at) / Math.max(1, values.length - 1)},${58 - (56 * value) / top}`).join(" "));
  svg.append(line);
  figure.append(svg);
  return figure;
}

function drawCharts() {
  const steps = (of) => seen.slice(1).map((now, at) => {
    const passed = now.uptime_seconds - seen[at].uptime_seconds;
    return passed > 0 ? Math.max(0, of(now) - of(seen[at])) / passed : 0;
  });
  const hits = (stats) => {
    const [hit, miss] = [count(stats, "cache.hits"), count(stats, "cache.misses")];
    return hit + miss ? (100 * hit) / (hit + miss) : 0;
  };
  by("charts").replaceChildren(
    chart("published", "per second", steps((stats) => count(stats, "jobs.published"))),
    chart("from post to published, P99", "s", seen.map((stats) => (stats.operations["post.published"]?.p99_ms ?? 0) / 1e3)),
    chart("X response time, P99", "ms", seen.map((stats) => stats.operations["x.post"]?.p99_ms ?? 0)),
    chart("cache hits", "%", seen.map(hits)),
    chart("memory", "MB", seen.map((stats) => stats.resources.rss_bytes / 1e6)),
    chart("CPU", "% of a core", seen.map((stats) => stats.resources.cpu_percent)),
  );
}

function drawActors(actors) {
  by("actors").replaceChildren(...actors.map((actor) => element("tr", [
    cell("", actor.name, "name"),
    cell("State", actor.state, actor.state === "running" ? "good" : "bad"),
    cell("Restarts", String(actor.restarts)),
    cell("Mailbox", String(actor.mailbox)),
    cell("In progress", String(actor.in_hand ?? "?")),
    cell("Last progress", `${actor.last_progress_seconds_ago} s ago`),
    cell("", button("restart", `restart ${actor.name}`, "steer",
      () => call(`/api/actors/${encodeURIComponent(actor.name)}/restart`, {}))),
  ])));
}

const SERVICE = { ready: ["ready", "good"], degraded: ["degraded", "warn"], not_ready: ["not ready", "bad"] };
const STATES = { running: ["running", "good"], near_cap: ["near its cap", "warn"], at_cap: ["at its cap", "warn"],
  quiet: ["quiet", "good"], degraded: ["degraded", "warn"], failing: ["failing", "bad"],
  waiting: ["waiting for a budget", "warn"], paused: ["paused", "warn"], blocked: ["blocked", "bad"] };

/// The source of each target: `x:town`.
let sourceOf = new Map();

/// What a person asks first: how the service is, and each account.
function drawStatus({ state, reasons, degraded, accounts, sources }, stats) {
  const [word, tone] = SERVICE[state] ?? [state, "bad"];
  by("state").textContent = `${[word, ...reasons].join(": ")}, up ${Math.round(stats.uptime_seconds)} s`;
  by("state").className = tone;
  by("degraded").replaceChildren(...degraded.map((why) => element("li", why, "warn")));
  sourceOf = new Map(accounts.map((one) => [one.account, one.source]));
  // Do not move a control that someone is about to press.
  if (document.activeElement?.closest("#accounts")) return;
  const several = sources.length > 1;
  const named = new Map(sources.map(({ source, name }) => [source, name]));
  const of = ({ language, source }) => several ? ` (${language}, from ${named.get(source)})` : ` (${language})`;
  const row = (what, name, { state, reason }, figures) => {
    const path = `/api/pauses/${encodeURIComponent(what)}`;
    const [word, tone] = STATES[state] ?? [state, "bad"];
    const act = state === "paused" || state === "blocked"
      ? button("resume", `resume ${what}`, "steer", () => call(`${path}/resume`, {}))
      : button("pause", `pause ${what}`, "steer", () => call(path, {}));
    return element("tr", [
      cell("", name, "name"),
      cell("State", [element("span", word, tone), element("div", reason ?? "", "reason")], "state"),
      ...Object.entries(figures).map(([label, figure]) => cell(label, String(figure))),
      cell("", act),
    ]);
  };
  by("accounts").replaceChildren(
    ...accounts.map((one) => row(one.account, [link(one.account, one.url, "control"), of(one)], one, {
      Today: one.daily_cap === null ? one.published_today : `${one.published_today} of ${one.daily_cap}`,
      Waiting: one.waiting, Held: one.held, Failed: one.failed })),
    ...sources.map((one) => row(several ? one.source : "poller", `source ${one.name}`, one,
      { Today: "", Waiting: "", Held: "", Failed: "" })),
  );
}

/// What was spent, and what is left of the budgets; nothing where nothing costs money.
function drawCosts(spent) {
  by("costs").hidden = !spent;
  if (!spent) return;
  const services = spent.services.map(({ service, purpose, this_month }) => `${service} ${purpose} $${this_month}`);
  by("spent").textContent =
    [`today $${spent.today}`, `this month $${spent.this_month}`, ...services].join(" · ");
  by("budgets-table").hidden = !spent.budgets.length;
  by("budgets").replaceChildren(...spent.budgets.map((budget) => element("tr", [
    cell("", budget.setting, "name"),
    cell("For", budget.scope),
    cell("Left", `$${budget.left}`, Number(budget.spent) >= 0.8 * Number(budget.most) ? "warn" : "good"),
    cell("Of", `$${budget.most}`),
    cell("Until", new Date(budget.until).toLocaleString()),
  ])));
}

function drawCalls(stats) {
  by("calls").replaceChildren(...Object.entries(stats.operations).map(([name, made]) => element("tr", [
    cell("", name, "name"),
    cell("Calls", String(made.calls)),
    cell("Errors", String(sum(Object.values(made.errors)))),
    ...Object.entries({ "Mean ms": "mean_ms", P50: "p50_ms", P90: "p90_ms", P99: "p99_ms", Max: "max_ms" })
      .map(([label, key]) => cell(label, made[key].toFixed(1))),
  ])));
}

/// A decision about one job; a refusal is an error.
async function decided(path, id) {
  const { refused } = await call(path, { ids: [id] });
  if (refused.length) throw new Error(refused[0].why);
}

/// The text of a post, as long as it is on record. Its mentions lead to its own network, which may differ from the target's.
function postText(job) {
  if (job.text_removed) return "(text removed)";
  const sameNetwork = sourceOf.get(job.target)?.split(":")[0] === job.target.split(":")[0];
  return linked(job.text, sameNetwork ? job.mentions : {});
}

/// The translation, with links to its messages; one that is not published as it is has its engine's name.
function translationCell(label, job) {
  const text = job.text_removed ? "(text removed)" : job.translation?.join("\n\n") ?? job.rejected?.text ?? "";
  const made = cell(label, linked(text, job.mentions), "words");
  if (!job.translation && job.rejected) made.append(element("div", `not published, by ${job.rejected.engine}`, "reason"));
  const links = job.messages.filter(({ url }) => url)
    .map(({ url }, at, all) => link(all.length > 1 ? `open part ${at + 1}` : "open", url, "control"));
  if (links.length) made.append(element("div", links.flatMap((link) => [link, " "]), "reason"));
  return made;
}

/// What a job waits for, if it waits for a time.
function waiting({ next_at, waits_for, reason }) {
  if (!next_at) return undefined;
  const until = `${waits_for} until ${new Date(next_at).toLocaleString()}`;
  return reason ? `${until}: ${reason}` : until;
}

async function drawJobs(stats) {
  const all = {};
  for (const jobs of Object.values(stats.jobs)) {
    for (const [state, number] of Object.entries(jobs)) all[state] = (all[state] ?? 0) + number;
  }
  by("tally").textContent = Object.entries(all).map(([state, number]) => `${number} ${state}`).join(" · ") || "none yet";
  const query = new URLSearchParams({ limit: 50, newest_first: true, state: by("job-state").value, words: by("job-search").value });
  const { jobs } = await call(`/api/jobs?${query}`);
  by("jobs").replaceChildren(...jobs.map((job) => {
    const state = cell("State", [element("span", job.state), element("div", waiting(job) ?? job.reason ?? job.kind ?? "", "reason")], "state");
    const acts = cell("", "");
    const decide = (how) => decided(`/api/jobs/${how}`, job.id);
    if (job.state === "held" || job.state === "failed") {
      acts.append(button("retry", `retry job ${job.id}`, "review", () => decide("retry")), " ",
        button("skip", `skip job ${job.id}`, "review", () => {
          if (!confirm(`Skip job ${job.id}? It is not published. You can restore it.`)) throw new Error("not confirmed");
          return decide("skip");
        }));
    }
    if (job.state === "skipped" && job.kind === "by_hand" && !job.text_removed) {
      acts.append(button("undo", `undo the skip of job ${job.id}`, "review", () => decide("unskip")));
    }
    return element("tr", [
      cell("Job", `${job.id} ${job.target}`, "name"),
      cell("Post", postText(job), "words"),
      translationCell("Translation", job),
      state,
      acts,
    ]);
  }));
}

const RECENT = 10;

/// The posts that were published last, the newest first, each with its translations beside it.
async function drawRecent() {
  const { jobs } = await call("/api/published");
  const posts = new Map();
  // Two networks may give the same id.
  const postOf = (job) => `${sourceOf.get(job.target)} ${job.post}`;
  for (const job of jobs) posts.set(postOf(job), [...(posts.get(postOf(job)) ?? []), job]);
  // Of what was published together, the newest post first; the ledger numbers the jobs of a page in this order.
  const latest = (jobs) => Math.floor(Math.max(...jobs.map((job) => Date.parse(job.updated_at))) / 1000);
  const shown = [...posts.values()]
    .sort((one, other) => latest(other) - latest(one) || one[0].id - other[0].id).slice(0, RECENT);
  const targets = [...new Set(shown.flat().map((job) => job.target))].sort();
  by("recent-head").replaceChildren(element("tr", ["Post", ...targets].map((name) => element("th", name))));
  by("recently-published").replaceChildren(...shown.map((jobs) => element("tr", [
    cell("", postText(jobs[0]), "words"),
    ...targets.map((target) => {
      const job = jobs.find((job) => job.target === target);
      if (!job) return cell("", "", "words none");
      const made = translationCell(target, job);
      made.append(element("div", `${new Date(job.updated_at).toLocaleTimeString()}, ${job.engine ?? ""}`, "reason"));
      return made;
    }),
  ])));
}

const LINES = 200;

function logLine(data) {
  const { time, level, module, message, ...fields } = JSON.parse(data);
  const details = Object.entries(fields).slice(0, 12).map(([name, value]) => `${name}=${value}`).join(" ");
  // To the second, as everywhere on the page.
  const when = time.replace("T", " ").replace(/\.\d+/, "");
  const log = by("log");
  const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
  const line = element("div", `${when} ${level} ${module} ${message} ${details}`, level === "warn" || level === "error" ? "warn" : "");
  log.append(line);
  while (log.childElementCount > LINES) log.firstElementChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

/// Follows the log while the service runs. Not an EventSource, which connects again by itself while nobody is logged in.
let following = false;
async function follow() {
  if (following) return;
  following = true;
  try {
    const answer = await fetch("/events?last=50&stats=false");
    if (answer.ok) {
      by("log").replaceChildren();
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        const lines = (rest + part.value).split("\n");
        rest = lines.pop();
        for (const line of lines) if (line.startsWith("data: {")) logLine(line.slice(6));
      }
    }
  } catch {
    // The next refresh tries again.
  }
  following = false;
}

/// Shows who is logged in, and only what they may do.
function drawIdentity() {
  if (me === null) return;
  by("token-form").hidden = true;
  by("who").hidden = me.name === null;
  by("who-name").textContent = `${me.name} (${me.role})`;
  by("log-out").hidden = !me.logged_in;
  by("pool-form").hidden = !may("steer");
}

async function refresh() {
  try {
    me ??= await call("/api/session");
    const [stats, { actors }, status] =
      await Promise.all(["/api/stats", "/api/actors", "/api/status"].map((path) => call(path)));
    if (seen.length && stats.uptime_seconds < seen.at(-1).uptime_seconds) seen.length = 0;
    seen.push(stats);
    if (seen.length > SAMPLES) seen.shift();
    drawIdentity();
    drawStatus(status, stats);
    drawCosts(status.spent);
    drawPipeline(stats, actors);
    drawCharts();
    // Do not move a control that someone is about to press.
    if (!document.activeElement?.closest("tbody")) {
      drawActors(actors);
      await drawJobs(stats);
    }
    await drawRecent();
    if (document.activeElement !== by("pool-size")) {
      by("pool-size").value = actors.filter((actor) => actor.name.startsWith("translator")).length;
    }
    follow();
    drawCalls(stats);
  } catch (error) {
    by("state").textContent = error.message;
    by("state").className = "bad";
  }
}

by("token-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [name, token] = [by("name").value, by("token").value];
  by("token").value = "";
  try {
    me = await call("/api/session", { name, token });
    notify("");
  } catch (error) {
    notify(`log in: ${error.message}`);
  }
  refresh();
});
by("log-out").addEventListener("click", async () => {
  try {
    await call("/api/session/end", {});
  } catch (error) {
    notify(`log out: ${error.message}`);
    return;
  }
  // Nothing of what they saw stays on the page.
  location.reload();
});
by("job-form").addEventListener("submit", (event) => event.preventDefault());
let typing;
by("job-form").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => seen.length && drawJobs(seen.at(-1)).catch((error) => notify(error.message)), 250);
});
by("pool-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const size = Number(by("pool-size").value);
  by("pool-size").blur();
  act(`resize translators to ${size}`, () => call("/api/pool/translator", { size }));
});
by("reload").addEventListener("click", () => act("reload settings", () => call("/api/reload", {})));
refresh();
setInterval(refresh, EVERY);
