//! Floods of HTTP/2 frames.

use super::SHORT;
use crate::support::certificates::{Authority, client};
use crate::support::serving::{Running, bounds, get, http2, listener, soon, start};
use backstay::server::bounds::Bounds;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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

#[tokio::test]
async fn f_119_f_120_f_121_floods_of_http2_close_their_connection_alone() {
    // :method GET, :scheme https, :path /hang, :authority a
    let head = b"\x82\x87\x04\x05/hang\x01\x01a";
    let id = |index: u32| index * 2 + 1;
    let rapid_reset = move |index| [frame(1, 5, id(index), head), frame(3, 0, id(index), &[0, 0, 0, 8])].concat();
    let continuation = move |index| match index {
        0 => frame(1, 1, 1, head),
        _ => frame(9, 0, 1, &[&b"\x00\x01x\x7f\x81\x7e"[..], &[b'y'; 256]].concat()),
    };
    let window_overflow =
        move |index| [frame(1, 5, id(index), head), frame(8, 0, id(index), &[0x7f, 0xff, 0xff, 0xff])].concat();
    let floods: [&dyn Fn(u32) -> Vec<u8>; 3] = [&rapid_reset, &continuation, &window_overflow];
    let authority = Authority::new();
    for next in floods {
        let mut server = start(listener(vec![authority.certificate(&["localhost"])]), bounds());
        let said = flood(&server, &authority, next).await;
        let goaway = said.windows(9).any(|window| window[3] == 7 && window[5..9] == [0; 4]);
        assert!(goaway, "a GOAWAY says why");
        let mut called = 0;
        while let Ok(said) = server.said.try_recv() {
            called += usize::from(said.starts_with("called"));
        }
        assert!(called <= 300, "{called} requests of a flood reached the application");
        let stream = server.connect_tls(client(&authority, None, &["h2"]), "localhost").await.unwrap();
        assert_eq!(soon("an answer", http2(stream).await.send_request(get("/"))).await.unwrap().status(), 200);
    }
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
