//! Whatever goes wrong with a vendor, and whatever dialects client, primary and fallback speak: the client sees one whole
//! answer in its own dialect, or an honest error in it. Nothing is cut in silence, nothing said twice, nothing hangs.

mod cell;
mod odd;
mod stage;
mod table;

use backstay::demo::vendor::{Fault, Phase, RestManner};
use backstay::dialect::Dialect;
use cell::{Cell, Way};
use std::sync::Arc;
use table::{Must, ROWS, Row, SPENT};

/// The cells of a client's dialect. Who falls back, and which calls offer a tool, goes round.
fn cells(client: Dialect) -> Vec<Cell> {
    let mut cells = Vec::new();
    for primary in Way::ALL {
        let befalls = |row: &&Row| row.befalls(primary.dialect()) && (row.spoken || primary.is_plain());
        for row in ROWS.iter().filter(befalls) {
            for streamed in [true, false] {
                broken(&mut cells, client, primary, row, streamed);
            }
        }
        for (fault, status) in SPENT.iter().filter(|_| primary.is_plain()) {
            for streamed in [true, false] {
                spent(&mut cells, client, primary, (*fault, *status), streamed);
            }
        }
    }
    cells
}

/// The primary alone is at fault: with continuation and without where that makes a difference.
fn broken(cells: &mut Vec<Cell>, client: Dialect, primary: Way, row: &Row, streamed: bool) {
    let must = |continues| row.must(primary.dialect(), streamed, continues);
    let matters = streamed && row.fault.phase() == Phase::AfterContent;
    let round = cells.len().is_multiple_of(2);
    for continues in if matters { vec![false, true] } else { vec![round] } {
        cells.push(Cell {
            fault: row.fault,
            once: row.once,
            streamed,
            continues,
            must: must(continues),
            ..Cell::next(cells.len(), client, primary)
        });
    }
}

/// Primary and fallback are at fault.
fn spent(cells: &mut Vec<Cell>, client: Dialect, primary: Way, (fault, status): (Fault, u16), streamed: bool) {
    let after_content = fault.phase() == Phase::AfterContent;
    let must = match (after_content, streamed) {
        (true, true) => Must::Break,
        (true, false) if status == 200 => Must::Primary,
        _ => Must::Refusal(status),
    };
    let next = Cell::next(cells.len(), client, primary);
    cells.push(Cell { fault, spent: true, streamed, continues: after_content, must, ..next });
}

/// Every dialect's stream breaks, and every other carries it on, for a client of each.
fn carried_on() -> Vec<Cell> {
    let mut cells = Vec::new();
    for client in Dialect::CONVERSING {
        for primary in Way::ALL {
            for fallback in Way::ALL {
                let (fault, must, next) = (Fault::CutClose, Must::Break, Cell::next(cells.len(), client, primary));
                cells.push(Cell { fallback, fault, streamed: true, continues: true, must, ..next });
            }
        }
    }
    cells
}

/// The same where the fallback takes no beginning of its answer, takes no request for the rest at all, or begins anew.
fn carried_on_with_difficulty() -> Vec<Cell> {
    let mut cells = Vec::new();
    for client in Dialect::CONVERSING {
        for fallback in Way::ALL {
            for rest in [RestManner::RefuseBeginning, RestManner::RefuseBoth, RestManner::Anew] {
                let next = Cell::next(cells.len(), client, Way::ALL[cells.len() % Way::ALL.len()]);
                let (fault, must) = (Fault::CutReset, Must::Break);
                cells.push(Cell { fallback, fault, rest, streamed: true, continues: true, must, tools: false, ..next });
            }
        }
    }
    cells
}

/// Answers that are odd in their vendor's own way, for a client of every dialect.
fn odd() -> Vec<Cell> {
    let mut cells = Vec::new();
    for odd in odd::all() {
        for client in Dialect::CONVERSING {
            for continues in [false, true] {
                let next = Cell::next(cells.len(), client, odd.way);
                let recording = Arc::new(odd.recording(&next.primary_model()));
                cells.push(Cell {
                    odd: Some((odd.name, recording)),
                    streamed: odd.streamed,
                    tools: false,
                    continues,
                    must: odd.must,
                    ..next
                });
            }
        }
    }
    cells
}

async fn check(client: Dialect) {
    all_hold(cells(client)).await;
}

async fn all_hold(cells: Vec<Cell>) {
    let tried = cells.len();
    let failing = stage::failing(cells).await;
    assert!(failing.is_empty(), "{} of {tried} cells fail:\n{}", failing.len(), failing.join("\n"));
}

#[tokio::test]
async fn clients_of_openai_chat_see_whole_answers_or_honest_errors() {
    check(Dialect::OpenaiChat).await;
}

#[tokio::test]
async fn clients_of_openai_responses_see_whole_answers_or_honest_errors() {
    check(Dialect::OpenaiResponses).await;
}

#[tokio::test]
async fn clients_of_anthropic_see_whole_answers_or_honest_errors() {
    check(Dialect::Anthropic).await;
}

#[tokio::test]
async fn clients_of_gemini_see_whole_answers_or_honest_errors() {
    check(Dialect::Gemini).await;
}

#[tokio::test]
async fn a_broken_stream_is_carried_on_across_dialects() {
    all_hold(carried_on()).await;
}

#[tokio::test]
async fn f_058_a_broken_stream_is_carried_on_by_whom_it_must_be_asked_of_in_another_way() {
    all_hold(carried_on_with_difficulty()).await;
}

#[tokio::test]
async fn what_is_odd_in_a_vendor_s_own_way_is_unseen() {
    all_hold(odd()).await;
}
