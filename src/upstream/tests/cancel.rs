//! Whoever stops waiting stops the vendor's work.

use super::*;

/// The vendor has to notice within this time.
const NOTICED: Duration = Duration::from_millis(250);

#[tokio::test]
async fn f_111_dropping_the_call_closes_the_connection() {
    let (listener, address) = listen().await;
    let deployment = Target::plain(address).deployment();
    let call = tokio::spawn(async move { send(&connections(), &deployment).await.map(drop) });
    let (mut socket, _) = listener.accept().await.expect("a connection");
    read_request(&mut socket).await.expect("a request");
    call.abort();
    tokio::time::timeout(NOTICED, closed(&mut socket)).await.expect("closed in time");
}

#[tokio::test]
async fn f_112_dropping_the_body_closes_the_connection() {
    let (listener, address) = listen().await;
    let deployment = Target::plain(address).deployment();
    let vendor = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        read_request(&mut socket).await.expect("a request");
        let begun = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n";
        socket.write_all(begun).await.expect("written");
        socket
    });
    let connections = connections();
    let mut body = send(&connections, &deployment).await.expect("an answer").body;
    assert_eq!(body.chunk().await.expect("a chunk").expect("content"), "ok");
    let mut socket = vendor.await.expect("the vendor");
    drop(body);
    tokio::time::timeout(NOTICED, closed(&mut socket)).await.expect("closed in time");
}
