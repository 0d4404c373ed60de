//! One HTTP/1.1 connection of a simulated vendor, byte by byte.

use super::log::{CloseKind, End, Log};
use super::plan::{Framing, Head, Step, wait};
use super::request;
use super::script::Lot;
use super::wire::{Resetter, Wire};
use super::{Fault, Shared, log};
use bytes::{Bytes, BytesMut};
use std::io;
use std::sync::Arc;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

/// How a connection or an answer on it comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The connection serves on.
    Serves,
    Closes,
    Resets,
    PeerGone(CloseKind),
}

/// Serves requests until the connection ends; answers how it ended. The lot is its first call's.
pub(super) async fn serve(wire: Wire, resetter: &Resetter, id: usize, shared: &Arc<Shared>, mut lot: Lot) -> CloseKind {
    let (mut reader, mut writer) = tokio::io::split(wire);
    let mut buffer = BytesMut::new();
    let mut served = 0;
    let fate = loop {
        let request = match next_request(&mut reader, &mut buffer, shared, served).await {
            Ok(request) => request,
            Err(fate) => break fate,
        };
        let is_call = request.method == "POST";
        let fault = match lot {
            Lot::Drawn(fault) if is_call => {
                lot = Lot::Open;
                fault
            }
            _ => shared.fault_for_request(is_call),
        };
        if fault == Some(Fault::StaleKeepAlive) && served > 0 {
            break Fate::Resets;
        }
        let mut steps = shared.plan(&request.method, &request.path, &request.body, fault);
        if request.wants_close() {
            steps.push(Step::Close);
        }
        let entry = shared.log.request(entry(request, id, fault));
        match answer(&mut reader, &mut writer, &mut buffer, &steps, &shared.log, entry).await {
            Fate::Serves => served += 1,
            fate => break fate,
        }
    };
    match fate {
        Fate::Serves | Fate::Closes => {
            close(&mut reader, &mut writer).await;
            CloseKind::OurFin
        }
        Fate::Resets => {
            resetter.arm();
            CloseKind::OurReset
        }
        Fate::PeerGone(kind) => kind,
    }
}

/// Waits for a request, for the peer to go, or for a reason to hang up an idle connection.
async fn next_request(
    reader: &mut ReadHalf<Wire>,
    buffer: &mut BytesMut,
    shared: &Shared,
    served: usize,
) -> Result<request::Read, Fate> {
    let hang_up = shared.hang_up.notified();
    tokio::pin!(hang_up);
    hang_up.as_mut().enable();
    if served > 0 && shared.turns_connections_away() {
        return Err(Fate::Closes);
    }
    let idle = async {
        match shared.script().idle_limit {
            Some(limit) if served > 0 => tokio::time::sleep(limit).await,
            _ => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        read = request::read(reader, buffer) => match read {
            Ok(Some(request)) => Ok(request),
            Ok(None) => Err(Fate::PeerGone(CloseKind::PeerFin)),
            // Whoever sends what is no HTTP is not spoken to.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                shared.log.malformed(&error);
                Err(Fate::Closes)
            }
            Err(_) => Err(Fate::PeerGone(CloseKind::PeerReset)),
        },
        () = hang_up => Err(Fate::Closes),
        () = idle => Err(Fate::Closes),
    }
}

fn entry(request: request::Read, connection: usize, fault: Option<Fault>) -> log::Request {
    log::Request {
        connection,
        at: Instant::now(),
        head: request.head,
        method: request.method,
        path: request.path,
        headers: request.headers,
        body: request.body,
        fault,
        sent: 0,
        ended: None,
    }
}

/// Takes the steps while watching whether the peer is still there.
async fn answer(
    reader: &mut ReadHalf<Wire>,
    writer: &mut WriteHalf<Wire>,
    buffer: &mut BytesMut,
    steps: &[Step],
    log: &Log,
    entry: usize,
) -> Fate {
    let fate = tokio::select! {
        biased;
        kind = peer_gone(reader, buffer) => Fate::PeerGone(kind),
        fate = take(writer, steps, log, entry) => fate.unwrap_or(Fate::PeerGone(CloseKind::PeerReset)),
    };
    let whole = steps.iter().any(|step| matches!(step, Step::End));
    log.ended(
        entry,
        match fate {
            Fate::PeerGone(_) => End::Cancelled,
            Fate::Serves => End::Answered,
            Fate::Closes if whole => End::Answered,
            Fate::Closes | Fate::Resets => End::BrokenOff,
        },
    );
    fate
}

/// Resolves when the peer has closed; what it sends meanwhile is kept for later, up to a bound.
async fn peer_gone(reader: &mut ReadHalf<Wire>, buffer: &mut BytesMut) -> CloseKind {
    const PIPELINED_BYTES: usize = 1 << 20;
    while buffer.len() < PIPELINED_BYTES {
        match reader.read_buf(buffer).await {
            Ok(0) => return CloseKind::PeerFin,
            Ok(_) => {}
            Err(_) => return CloseKind::PeerReset,
        }
    }
    std::future::pending().await
}

async fn take(writer: &mut WriteHalf<Wire>, steps: &[Step], log: &Log, entry: usize) -> io::Result<Fate> {
    let mut framing = Framing::Length(0);
    for step in steps {
        match step {
            Step::Raw(bytes) => send(writer, &[bytes], log, entry).await?,
            Step::Head(head) => {
                framing = head.framing;
                send(writer, &[&render(head)], log, entry).await?;
            }
            Step::Body(piece) => send_body(writer, piece, framing, log, entry).await?,
            Step::End => match framing {
                Framing::Chunked => send(writer, &[b"0\r\n\r\n"], log, entry).await?,
                Framing::UntilClose => return Ok(Fate::Closes),
                Framing::Length(_) => {}
            },
            Step::Wait(pause) => wait(*pause).await,
            Step::Hang => std::future::pending().await,
            Step::Repeat(piece, every) => loop {
                send_body(writer, piece, framing, log, entry).await?;
                tokio::time::sleep(*every).await;
            },
            Step::Reset => return Ok(Fate::Resets),
            Step::Close => return Ok(Fate::Closes),
        }
    }
    Ok(Fate::Serves)
}

async fn send_body(
    writer: &mut WriteHalf<Wire>,
    piece: &Bytes,
    framing: Framing,
    log: &Log,
    entry: usize,
) -> io::Result<()> {
    match framing {
        Framing::Chunked => {
            send(writer, &[format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"], log, entry).await
        }
        Framing::Length(_) | Framing::UntilClose => send(writer, &[piece], log, entry).await,
    }
}

/// Sends the parts as one piece, so that a chunk of ours is a chunk on the wire.
async fn send(writer: &mut WriteHalf<Wire>, parts: &[&[u8]], log: &Log, entry: usize) -> io::Result<()> {
    let bytes = parts.concat();
    writer.write_all(&bytes).await?;
    writer.flush().await?;
    log.sent(entry, bytes.len());
    Ok(())
}

fn render(head: &Head) -> Vec<u8> {
    let reason = http::StatusCode::from_u16(head.status).ok().and_then(|status| status.canonical_reason());
    let mut text = format!("HTTP/1.1 {} {}\r\n", head.status, reason.unwrap_or("Unnamed"));
    for (name, value) in &head.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    match head.framing {
        Framing::Length(length) => text.push_str(&format!("content-length: {length}\r\n\r\n")),
        Framing::Chunked => text.push_str("transfer-encoding: chunked\r\n\r\n"),
        Framing::UntilClose => text.push_str("connection: close\r\n\r\n"),
    }
    text.into_bytes()
}

/// Closes in good order, and reads what the peer still sends: unread bytes would turn the close into a reset.
async fn close(reader: &mut ReadHalf<Wire>, writer: &mut WriteHalf<Wire>) {
    let _ = writer.shutdown().await;
    let mut rest = [0; 4_096];
    while matches!(reader.read(&mut rest).await, Ok(read) if read > 0) {}
}
