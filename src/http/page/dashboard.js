// What the API tells, drawn every two seconds. Whatever comes from a post is put in as text and never as HTML.
"use strict";

const EVERY = 2000;
const KEPT = 150;
const seen = [];
const by = (id) => document.getElementById(id);

function element(name, content, className) {
  const made = document.createElement(name);
  if (className) made.className = className;
  for (const part of [content].flat()) made.append(part instanceof Node ? part : document.createTextNode(part ?? ""));
  return made;
}

async function call(path, body) {
  const headers = {};
  const token = sessionStorage.getItem("token");
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
  if (answer.status === 401) by("token-form").hidden = false;
  const told = await answer.json();
  if (!answer.ok && path !== "/ready") throw new Error(told.error ?? `the service answers ${answer.status}`);
  return told;
}

function button(text, label, act) {
  const made = element("button", text);
  made.type = "button";
  made.setAttribute("aria-label", label);
  made.addEventListener("click", async () => {
    made.disabled = true;
    try {
      await act();
      by("said").textContent = `${label}: done`;
    } catch (error) {
      by("said").textContent = `${label}: ${error.message}`;
    }
    made.disabled = false;
    look();
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

/// How much a number grew in a second between the last two looks.
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
  const node = (name, lines, wrong) => {
    const box = element("div", element("b", name), "node");
    for (const line of lines) box.append(element("span", line));
    if (wrong) box.append(element("span", `${wrong} errors`, "wrong"));
    return element("li", box);
  };
  by("pipeline").replaceChildren(
    node("X timeline", [`${calls(stats, "x.read")} polls`], errors(stats, "x.read")),
    node("Router", [`${count(stats, "posts.recorded")} posts`, `${states(stats, "queued")} queued`]),
    node(`Translators × ${workers.length}`, [`${busy} in hand`, `${rate((s) => count(s, "items.translated")).toFixed(1)} a second`]),
    node("Engines", engines.map((name) => `${name.split(".")[0]}: ${stats.operations[name].calls} calls`),
      sum(engines.map((name) => errors(stats, name)))),
    node("Publishers", [`${states(stats, "ready", "publishing", "unknown")} waiting`,
      `${rate((s) => count(s, "jobs.published")).toFixed(1)} a second`], errors(stats, "x.post")),
    node("Published", [`${states(stats, "published")} jobs`, `${states(stats, "held")} held, ${states(stats, "failed")} failed`]),
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
  svg.setAttribute("aria-label", `${name}: ${last.toFixed(1)} ${unit}, at most ${Math.max(0, ...values).toFixed(1)}`);
  const top = Math.max(...values, 1e-9);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  line.setAttribute("points", values.map((value, at) => `${at},${58 - (56 * value) / top}`).join(" "));
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
    chart("published", "a second", steps((stats) => count(stats, "jobs.published"))),
    chart("X answers, P99", "ms", seen.map((stats) => stats.operations["x.post"]?.p99_ms ?? 0)),
    chart("cache hits", "%", seen.map(hits)),
    chart("memory", "MB", seen.map((stats) => stats.resources.rss_bytes / 1e6)),
    chart("CPU", "% of a core", seen.map((stats) => stats.resources.cpu_percent)),
  );
}

function drawActors(actors) {
  by("actors").replaceChildren(...actors.map((actor) => element("tr", [
    element("td", actor.name),
    element("td", actor.state, actor.state === "running" ? "good" : "bad"),
    element("td", String(actor.restarts)),
    element("td", String(actor.mailbox)),
    element("td", String(actor.in_hand ?? "?")),
    element("td", `${actor.last_progress_seconds_ago} s ago`),
    element("td", button("restart", `restart ${actor.name}`,
      () => call(`/api/actors/${encodeURIComponent(actor.name)}/restart`, {}))),
  ])));
}

function drawPauses(pauses) {
  by("pauses").replaceChildren(...pauses.map(({ what, paused, blocked }) => {
    const path = `/api/pauses/${encodeURIComponent(what)}`;
    const act = paused || blocked
      ? button("resume", `resume ${what}`, () => call(`${path}/resume`, {}))
      : button("pause", `pause ${what}`, () => call(path, {}));
    const how = blocked ? `stopped: ${blocked}` : paused ? "paused" : "goes on";
    return element("li", [act, ` ${what}: `, element("span", how, paused || blocked ? "bad" : "good")]);
  }));
}

function drawCalls(stats) {
  by("calls").replaceChildren(...Object.entries(stats.operations).map(([name, made]) => element("tr", [
    element("td", name),
    element("td", String(made.calls)),
    element("td", String(sum(Object.values(made.errors)))),
    ...["mean_ms", "p50_ms", "p90_ms", "p99_ms", "max_ms"].map((key) => element("td", made[key].toFixed(1))),
  ])));
}

async function drawJobs(stats) {
  const all = {};
  for (const jobs of Object.values(stats.jobs)) {
    for (const [state, number] of Object.entries(jobs)) all[state] = (all[state] ?? 0) + number;
  }
  by("tally").textContent = Object.entries(all).map(([state, number]) => `${number} ${state}`).join(" · ") || "none yet";
  const { jobs } = await call(`/api/jobs?limit=200&state=${encodeURIComponent(by("job-state").value)}`);
  const words = by("job-search").value.toLowerCase();
  const found = jobs.filter((job) => !words || `${job.text} ${job.reason ?? ""} ${job.target}`.toLowerCase().includes(words));
  by("jobs").replaceChildren(...found.slice(0, 50).map((job) => {
    const state = element("td", [element("span", job.state), element("div", job.reason ?? job.kind ?? "", "reason")]);
    const acts = element("td", "");
    if (job.state === "held" || job.state === "failed") {
      acts.append(button("retry", `retry job ${job.id}`, () => call("/api/jobs/retry", { ids: [job.id] })), " ",
        button("skip", `skip job ${job.id}`, () => call("/api/jobs/skip", { ids: [job.id] })));
    }
    return element("tr", [
      element("td", `${job.id} ${job.target}`),
      element("td", job.text, "words"),
      element("td", (job.translation ?? []).join("\n\n"), "words"),
      state,
      acts,
    ]);
  }));
}

async function look() {
  try {
    const [stats, { actors }, { pauses }, ready] =
      await Promise.all(["/api/stats", "/api/actors", "/api/pauses", "/ready"].map((path) => call(path)));
    if (seen.length && stats.uptime_seconds < seen.at(-1).uptime_seconds) seen.length = 0;
    seen.push(stats);
    if (seen.length > KEPT) seen.shift();
    by("token-form").hidden = true;
    const well = ready.ready;
    by("state").textContent = well ? `ready, up ${Math.round(stats.uptime_seconds)} s` : `not ready: ${(ready.reasons ?? []).join("; ")}`;
    by("state").className = well ? "good" : "bad";
    drawPipeline(stats, actors);
    drawCharts();
    // What somebody is about to press stays where it is.
    if (!document.activeElement?.closest("tbody, #pauses")) {
      drawActors(actors);
      drawPauses(pauses);
      await drawJobs(stats);
    }
    drawCalls(stats);
  } catch (error) {
    by("state").textContent = error.message;
    by("state").className = "bad";
  }
}

by("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", by("token").value);
  by("token").value = "";
  look();
});
by("job-form").addEventListener("submit", (event) => event.preventDefault());
by("job-form").addEventListener("input", () => seen.length && drawJobs(seen.at(-1)));
look();
setInterval(look, EVERY);
