//! The proxy that all cells of a client share: a pool for each, and vendors that are at fault.

use super::cell::{Cell, Seen, WORDS, Way};
use super::table;
use crate::support::client::Kept;
use crate::support::proxy::{Plan, Proxy};
use backstay::demo::vendor::{Fault, Script, Vendor};
use backstay::dialect::Dialect;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;

/// Limits of every pool: long enough for a machine that is busy with other cells.
const LIMITS: &str = r#"timeouts = { connect = "1500ms", handshake = "1500ms", headers = "1500ms", first_content = "1500ms", idle = "1500ms", progress = "2500ms", answer = "2500ms" }
probe = "off"
"#;
/// No cell takes longer than all its limits together.
const WATCHDOG: Duration = Duration::from_secs(30);
/// How many cells are tried at once: of those that take the machine's time, and of those that wait.
const BUSY: usize = 4;
const WAITING: usize = 64;

/// Tries every cell. Gives what was seen of those that fail.
pub(super) async fn failing(cells: Vec<Cell>) -> Vec<String> {
    let stage = Arc::new(Stage::set(&cells).await);
    let (waiting, busy): (VecDeque<_>, VecDeque<_>) =
        cells.iter().cloned().partition(|cell| cell.odd.is_none() && table::waits(cell.fault));
    let mut workers = JoinSet::new();
    for (queue, count) in [(waiting, WAITING), (busy, BUSY)] {
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..count {
            workers.spawn(work(Arc::clone(&stage), Arc::clone(&queue)));
        }
    }
    let mut failing: Vec<_> = workers.join_all().await.into_iter().flatten().collect();
    failing.extend(stage.misrecorded(&cells).await);
    failing.sort_unstable();
    failing
}

async fn work(stage: Arc<Stage>, queue: Arc<Mutex<VecDeque<Cell>>>) -> Vec<String> {
    let mut client = stage.proxy.client().kept();
    let mut failing = Vec::new();
    loop {
        let Some(cell) = queue.lock().unwrap().pop_front() else { return failing };
        let tried = tokio::time::timeout(WATCHDOG, stage.play(&cell, &mut client)).await;
        match tried {
            Ok(Ok(())) => {}
            Ok(Err(told)) => failing.push(format!("{}: {told}", cell.name())),
            Err(_) => {
                client = stage.proxy.client().kept();
                failing.push(format!("{}: it hangs", cell.name()));
            }
        }
    }
}

struct Stage {
    proxy: Proxy,
    /// Where in the proxy's vendors each name is.
    places: HashMap<String, usize>,
}

impl Stage {
    async fn set(cells: &[Cell]) -> Self {
        let mut vendors: Vec<(String, Way)> = Way::ALL.iter().map(|way| (way.fallback_name(), *way)).collect();
        let mut pools = String::new();
        for cell in cells {
            vendors.push((primary_name(cell), cell.primary));
            if cell.has_own_fallback() {
                vendors.push((fallback_name(cell), cell.fallback));
            }
            pools.push_str(&format!(
                "[pool.{}]\ndeployments = [\"{}/{}\", \"{}/{}\"]\ncontinuation = {}\n{LIMITS}\n",
                cell.pool(),
                primary_name(cell),
                cell.primary_model(),
                fallback_name(cell),
                cell.fallback_model(),
                cell.continues
            ));
        }
        let named: Vec<(&str, Dialect)> = vendors.iter().map(|(name, way)| (name.as_str(), way.dialect())).collect();
        let mut plan = Plan::of(&named).plain().without_kept_out().pooled(1).pool("probe = \"off\"").with(&pools);
        for (place, (_, way)) in vendors.iter().enumerate() {
            plan = plan.vendor(place, way.lines()).setup(place, |mut setup| {
                setup.script.words = WORDS;
                setup
            });
        }
        let proxy = plan.start().await;
        let places = vendors.into_iter().enumerate().map(|(place, (name, _))| (name, place)).collect();
        let stage = Self { proxy, places };
        cells.iter().for_each(|cell| stage.break_down(cell));
        stage
    }

    fn vendor(&self, name: &str) -> &Vendor {
        &self.proxy.vendors[self.places[name]]
    }

    fn break_down(&self, cell: &Cell) {
        let primary = self.vendor(&primary_name(cell));
        primary.change_script(|script| prepare(script, cell));
        if cell.odd.is_some() {
            return;
        }
        if cell.once {
            primary.queue([Some(cell.fault)]);
        } else {
            primary.set_fault(cell.fault);
        }
        if cell.has_own_fallback() {
            self.vendor(&fallback_name(cell)).change_script(|script| prepare(script, cell));
        }
        if cell.spent {
            self.vendor(&fallback_name(cell)).set_fault(cell.fault);
        }
    }

    async fn play(&self, cell: &Cell, client: &mut Kept) -> Result<(), String> {
        let (path, body) = cell.call();
        let answer = client.ask(&path, &body).await.ok_or("the connection ended without an answer")?;
        let calls = |name: String, model: &str| {
            let log = self.vendor(&name).log();
            let asks = |path: &str, body: &[u8]| path.contains(model) || String::from_utf8_lossy(body).contains(model);
            log.ask(|entries| entries.calls().filter(|call| asks(&call.path, &call.body)).count())
        };
        let seen = Seen {
            answer,
            primary_calls: calls(primary_name(cell), &cell.primary_model()),
            fallback_calls: calls(fallback_name(cell), &cell.fallback_model()),
            text: self.vendor(&primary_name(cell)).text(),
        };
        cell.judge(&seen).map_err(|told| format!("{told}\n    {}", shown(&seen.answer.text())))
    }

    /// Cells of which the access log does not say what the client saw.
    async fn misrecorded(&self, cells: &[Cell]) -> Vec<String> {
        let lines = tokio::time::timeout(WATCHDOG, self.proxy.log.wait_for(cells.len())).await;
        let Ok(lines) = lines else { return vec!["the access log lacks lines".to_owned()] };
        let by_pool: HashMap<&str, &Value> =
            lines.iter().filter_map(|line| Some((line["pool"].as_str()?, line))).collect();
        let wrong = cells.iter().filter_map(|cell| {
            let line = by_pool.get(cell.pool().as_str())?;
            let told = cell.record(line).err()?;
            Some(format!("{}: {told}\n    {line}", cell.name()))
        });
        wrong.collect()
    }
}

fn primary_name(cell: &Cell) -> String {
    format!("first-{:04}", cell.number)
}

fn fallback_name(cell: &Cell) -> String {
    if cell.has_own_fallback() { format!("other-{:04}", cell.number) } else { cell.fallback.fallback_name() }
}

fn prepare(script: &mut Script, cell: &Cell) {
    script.rest = cell.rest;
    script.break_after_words = cell.break_after();
    script.drip_every = Duration::ZERO;
    if cell.fault == Fault::Drip {
        script.words = 4;
    }
    script.replay = cell.odd.as_ref().map(|(_, recording)| Arc::clone(recording));
    script.retry_after = Some(if cell.once { "1" } else { "" }.to_owned());
}

/// The end of an answer tells most of it.
fn shown(text: &str) -> String {
    let from = text.char_indices().rev().nth(600).map_or(0, |(place, _)| place);
    text[from..].replace('\n', "\n    ")
}
