//! Floods of HTTP/2 frames.

use super::SHORT;
use crate::support::certificates::{Authority, client};
use crate::support::serving::{Running, bounds, get, http2, listener, soon, start};
use backstay::server::bounds::Bounds;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What a flood sends next, by its number.
type Next<'a> = &'a dyn Fn(u32) -> Vec<u8>;

/// A frame of HTTP/2 (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Sends frames as fast as the server takes them, and returns what it said until it closed.
async fn flood(server: &Running, authority: &Authority, next: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    let stream = server.connect_tls(client(authority, None, &["h2"]), "localhost").await.unwrap();
    let (mut reading, mut writing) = tokio::io::split(stream);
    let mut said = Vec::new();
    let flooding = async {
        let begin = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(4, 0, 0, &[])].concat();
        let mut alive = writing.write_all(&begin).await.is_ok();
        for index in 0..20_000 {
            alive = alive && writing.write_all(&next(index)).await.is_ok();
        }
    };
    // The server's end of the connection ends both.
    let reading = async {
        let _ = reading.read_to_end(&mut said).await;
    };
    soon("the connection's end", async { tokio::join!(flooding, reading) }).await;
    said
}

/// A frame of HTTP/2, as it was read.
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    /// Whether it is the last of its stream: a reset, or content or a head with END_STREAM.
    const fn ends(&self) -> bool {
        self.kind == 3 || (self.kind <= HEADERS && self.flags & 1 == 1)
    }
}

const HEADERS: u8 = 1;
const GOAWAY: u8 = 7;
/// RFC 9113, 7.
const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 11];

fn frames(mut said: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some((head, rest)) = said.split_first_chunk::<9>() {
        let [high, middle, low, kind, flags, stream @ ..] = *head;
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        frames.push(Frame { kind, flags, stream: u32::from_be_bytes(stream), payload: payload.to_vec() });
        said = rest;
    }
    frames
}

/// `:method GET`, `:scheme https`, `:path /hang`, `:authority a`, as HPACK has them (RFC 7541, appendix A).
const HANG: &[u8] = b"\x82\x87\x04\x05/hang\x01\x01a";

#[tokio::test]
async fn f_119_f_120_f_121_floods_of_http2_close_their_connection_alone() {
    let id = |index: u32| index * 2 + 1;
    // a request, and what is said of its stream behind it
    let behind = move |kind: u8, payload: &'static [u8]| {
        move |index| [frame(HEADERS, 5, id(index), HANG), frame(kind, 4, id(index), payload)].concat()
    };
    let rapid_reset = behind(3, &[0, 0, 0, 8]);
    let continuation = move |index| match index {
        0 => frame(HEADERS, 1, 1, HANG),
        _ => frame(9, 0, 1, &[&b"\x00\x01x\x7f\x81\x7e"[..], &[b'y'; 256]].concat()),
    };
    // what makes a server reset a stream that it has begun to work for
    let window_overflow = behind(8, &[0x7f, 0xff, 0xff, 0xff]);
    let window_of_nothing = behind(8, &[0; 4]);
    let head_after_the_end = behind(HEADERS, HANG);
    let priority_of_wrong_length = behind(2, &[0; 4]);
    let floods: [(&str, Next<'_>); 6] = [
        ("rapid reset", &rapid_reset),
        ("continuation", &continuation),
        ("window overflow", &window_overflow),
        ("window of nothing", &window_of_nothing),
        ("head after the end", &head_after_the_end),
        ("priority of a wrong length", &priority_of_wrong_length),
    ];
    let authority = Authority::new();
    for (name, next) in floods {
        let mut server = start(listener(vec![authority.certificate(&["localhost"])]), bounds());
        let said = frames(&flood(&server, &authority, next).await);
        let goaway = said.iter().find(|frame| frame.kind == GOAWAY).unwrap_or_else(|| panic!("{name}: no GOAWAY"));
        if matches!(name, "rapid reset" | "window overflow") {
            assert_eq!(goaway.payload[4..8], ENHANCE_YOUR_CALM, "{name}");
        }
        let mut called = 0;
        while let Ok(said) = server.said.try_recv() {
            called += usize::from(said.starts_with("called"));
        }
        assert!(called <= 100, "{name}: {called} requests of a flood reached the application");
        let stream = server.connect_tls(client(&authority, None, &["h2"]), "localhost").await.unwrap();
        assert_eq!(soon("an answer", http2(stream).await.send_request(get("/"))).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn f_120_a_stream_that_its_client_has_us_reset_is_cancelled() {
    for (kind, payload) in [(8, &[0x7f, 0xff, 0xff, 0xff][..]), (8, &[0; 4]), (HEADERS, HANG), (2, &[0; 4])] {
        let authority = Authority::new();
        let mut server = start(listener(vec![authority.certificate(&["localhost"])]), bounds());
        let mut stream = server.connect_tls(client(&authority, None, &["h2"]), "localhost").await.unwrap();
        let begin = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(4, 0, 0, &[]), &frame(HEADERS, 5, 1, HANG)];
        stream.write_all(&begin.concat()).await.unwrap();
        server.heard("called /hang").await;
        stream.write_all(&frame(kind, 4, 1, payload)).await.unwrap();
        server.heard("dropped /hang").await;
    }
}

/// A member of a header list, whose name and value HPACK takes as they are.
fn member(name: &str, value: &str) -> Vec<u8> {
    let sized = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [vec![0], sized(name), sized(value)].concat()
}

#[tokio::test]
async fn f_122_what_would_be_lines_of_http1_is_no_request_of_http2() {
    let authority = Authority::new();
    let pseudo =
        |path: &str, host: &str| [&b"\x82\x87"[..], &member(":path", path), &member(":authority", host)].concat();
    let with = |name: &str, value: &str| [HANG, &member(name, value)].concat();
    let heads = [
        with("x", "a\r\nb: c"),
        with("x", "a\nb: c"),
        with("x", "a\rb"),
        with("x", "a\0b"),
        with("x\r\nb", "c"),
        with("x:b", "c"),
        with("x ", "c"),
        with("X", "c"),
        with("transfer-encoding", "chunked"),
        with("connection", "close"),
        with("proxy-connection", "close"),
        with("keep-alive", "timeout=9"),
        with("upgrade", "websocket"),
        with(":path", "/"),
        pseudo("/hang\r\nx: y", "a"),
        pseudo("/hang HTTP/1.1", "a"),
        pseudo("/hang", "a\r\nx: y"),
        [&HANG[1..], &member(":method", "GET /x HTTP/1.1\r\n")].concat(),
    ];
    for head in heads {
        let server = start(listener(vec![authority.certificate(&["localhost"])]), bounds());
        let said =
            say(&server, &authority, &[frame(HEADERS, 5, 1, &head), frame(HEADERS, 5, 3, b"\x82\x87\x84\x01\x01a")])
                .await;
        let answered = said.iter().find(|frame| frame.kind == HEADERS && frame.stream == 1);
        // 400 of the static table, if it is answered at all
        assert!(
            answered.is_none_or(|frame| frame.payload.first() == Some(&0x8c)),
            "{:?}",
            head.escape_ascii().to_string()
        );
        let mut server = server;
        while let Ok(said) = server.said.try_recv() {
            assert!(!said.contains("/hang"), "{said:?} of {:?}", head.escape_ascii().to_string());
        }
    }
    // more or less body than was declared
    let echo = |length: &str| [&b"\x83\x87\x04\x05/echo\x01\x01a"[..], &member("content-length", length)].concat();
    for (length, whole) in [("3", true), ("2", false), ("4", false), ("-3", false), ("3, 3", false)] {
        let server = start(listener(vec![authority.certificate(&["localhost"])]), bounds());
        let requests = [
            frame(HEADERS, 4, 1, &echo(length)),
            frame(0, 1, 1, b"abc"),
            frame(HEADERS, 5, 3, b"\x82\x87\x84\x01\x01a"),
        ];
        let said = say(&server, &authority, &requests).await;
        let echoed = said.iter().any(|frame| frame.stream == 1 && frame.payload == b"abc");
        assert_eq!(echoed, whole, "a body of 3 bytes, declared as {length}");
    }
}

/// Sends frames, and reads what the server says until both streams have their answer, or the connection is closed.
async fn say(server: &Running, authority: &Authority, sent: &[Vec<u8>]) -> Vec<Frame> {
    let mut stream = server.connect_tls(client(authority, None, &["h2"]), "localhost").await.unwrap();
    let begin = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(4, 0, 0, &[])].concat();
    stream.write_all(&[begin, sent.concat()].concat()).await.unwrap();
    let mut said = Vec::new();
    soon("an answer or the end", async {
        while ![1, 3].into_iter().all(|stream| frames(&said).iter().any(|frame| frame.stream == stream && frame.ends()))
        {
            if !matches!(stream.read_buf(&mut said).await, Ok(1..)) {
                break;
            }
        }
    })
    .await;
    frames(&said)
}

#[tokio::test]
async fn f_115_an_idle_http2_connection_is_told_to_go_and_then_closed() {
    let authority = Authority::new();
    let idle = Bounds { idle: SHORT, ..bounds() };
    let server = start(listener(vec![authority.certificate(&["localhost"])]), idle);
    let mut stream = server.connect_tls(client(&authority, None, &["h2"]), "localhost").await.unwrap();
    // It never answers the ping that goes with the GOAWAY.
    stream.write_all(&[&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(4, 0, 0, &[])].concat()).await.unwrap();
    let mut said = Vec::new();
    let _ = soon("the connection's end", stream.read_to_end(&mut said)).await;
    assert!(said.windows(9).any(|window| window[3] == 7 && window[5..9] == [0; 4]), "a GOAWAY came first");
}
