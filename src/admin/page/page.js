// Draws /status every two seconds. Everything is set as text, never as HTML.
"use strict";

const EVERY_MS = 2000;
const KINDS = { closed: "good", half_open: "wary", degraded: "wary", resting: "wary", open: "bad", restricted: "bad", too_expensive: "wary" };
const WORDS = { closed: "in use", half_open: "being tried", degraded: "degraded", resting: "resting", open: "out", restricted: "restricted", too_expensive: "too expensive" };

const byId = (id) => document.getElementById(id);
const seconds = (ms) => (ms >= 60000 ? `${Math.round(ms / 60000)} min` : `${(ms / 1000).toFixed(ms < 10000 ? 1 : 0)} s`);

function fill(node, texts) {
  for (const [selector, text] of Object.entries(texts)) node.querySelector(selector).textContent = text;
  return node;
}

function clone(id) {
  return byId(id).content.firstElementChild.cloneNode(true);
}

function windows(headroom) {
  const window = (name) => headroom[name] &&
    `${headroom[name].remaining}${headroom[name].limit == null ? "" : ` of ${headroom[name].limit}`} ${name}, whole in ${seconds(headroom[name].resets_in_ms)}`;
  return ["requests", "tokens"].map(window).filter(Boolean).join("; ");
}

function drawDeployment(deployment) {
  const wait = deployment.retry_after_ms == null ? "" : `again in ${seconds(deployment.retry_after_ms)}`;
  const row = fill(clone("deployment"), {
    ".tier": deployment.tier,
    ".id": deployment.id + (["", "default"].includes(deployment.credential) ? "" : ` · ${deployment.credential}`),
    ".state": WORDS[deployment.state] ?? deployment.state,
    ".reason": [deployment.reason, wait].filter(Boolean).join(" · "),
    ".region": deployment.region,
    ".inflight": deployment.inflight + (deployment.admission_cap == null ? "" : ` of ${deployment.admission_cap}`),
    ".success": deployment.success_percent == null ? "–" : `${deployment.success_percent} %`,
    ".first-content": deployment.first_content_ms == null ? "–" : seconds(deployment.first_content_ms),
    ".headroom": deployment.headroom.percent == null ? "–" : `${deployment.headroom.percent} %`,
    ".price": deployment.price ? `${deployment.price.input_usd} / ${deployment.price.output_usd}` : "–",
    ".place": deployment.place ?? "–",
  });
  row.querySelector(".headroom").title = windows(deployment.headroom);
  row.querySelector(".place").title = deployment.because;
  row.querySelector(".state").classList.add(KINDS[deployment.state] ?? "wary");
  return row;
}

function drawPool(pool) {
  const section = fill(clone("pool"), { ".name": pool.name, ".aliases": pool.aliases.join(", ") });
  section.querySelector("tbody").replaceChildren(...pool.deployments.map(drawDeployment));
  return section;
}

function drawFacts(status) {
  const facts = { Version: status.version, Generation: status.generation, Files: status.digest, Policies: status.policy };
  byId("facts").replaceChildren(...Object.entries(facts).map(([name, value]) => {
    const pair = document.createElement("div");
    pair.append(document.createElement("dt"), document.createElement("dd"));
    return fill(pair, { dt: name, dd: value });
  }));
}

function drawReload(reload) {
  const section = byId("reload");
  section.hidden = !reload || (reload.accepted && reload.diagnostics.length === 0);
  if (section.hidden) return;
  section.className = reload.accepted ? "wary" : "bad";
  const title = reload.accepted ? "Warnings about the files" : "The files on disk are refused; the old configuration serves";
  fill(section, { h2: `${title} (${reload.at})` });
  section.querySelector("ul").replaceChildren(...reload.diagnostics.map((diagnostic) => {
    const item = document.createElement("li");
    item.textContent = diagnostic;
    return item;
  }));
}

function drawRestrictions(restrictions) {
  const section = byId("restrictions");
  section.hidden = restrictions.length === 0;
  section.querySelector("ul").replaceChildren(...restrictions.map((restriction) => {
    const item = document.createElement("li");
    const reach = Object.entries(restriction.reach).map(([name, part]) => `${name} ${part}`).join(", ");
    const since = new Date(restriction.since_s * 1000).toLocaleString();
    item.textContent = `${restriction.id}: ${reach} · ${restriction.cause} · ${restriction.reason} · by ${restriction.by} since ${since}`;
    return item;
  }));
}

function drawBadge(text, kind) {
  byId("ready").textContent = text;
  byId("ready").className = `badge ${kind}`;
}

async function refresh() {
  try {
    const response = await fetch("status", { signal: AbortSignal.timeout(EVERY_MS) });
    if (!response.ok) throw new Error(`${response.status}`);
    const status = await response.json();
    drawBadge(status.not_ready ?? "ready", status.not_ready ? "wary" : "good");
    drawFacts(status);
    drawReload(status.last_reload);
    drawRestrictions(status.restrictions);
    byId("pools").replaceChildren(...status.pools.map(drawPool));
    byId("updated").textContent = `as of ${new Date().toLocaleTimeString()}`;
  } catch {
    drawBadge("no answer", "bad");
  }
  setTimeout(refresh, EVERY_MS);
}

refresh();
