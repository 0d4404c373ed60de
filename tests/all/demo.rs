//! `backstay demo`, as a user runs it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Longer than anything takes on a busy machine.
const WATCHDOG: Duration = Duration::from_secs(60);

/// The running command; killed when a test ends early.
struct Demo {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Demo {
    fn start(folder: &std::path::Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_backstay"))
            .args(["demo", "--port", "0", "--quiet", "--folder"])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { child, lines, seen: Vec::new() }
    }

    /// The next line that holds all of `parts`.
    fn wait_for(&mut self, parts: &[&str]) -> String {
        loop {
            let line = self.lines.recv_timeout(WATCHDOG);
            let line = line.unwrap_or_else(|_| panic!("no line with {parts:?} among\n{}", self.seen.join("\n")));
            self.seen.push(line.clone());
            if parts.iter().all(|part| line.contains(part)) {
                return line;
            }
        }
    }

    fn end(&mut self) -> bool {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().success()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the control port answers to a POST.
fn post(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_vendor_broken_by_curl_is_rewired_around_and_found_again() {
    let home = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(home.path());
    let control = demo.wait_for(&["control", "http://"]);
    let address = control.split("http://").nth(1).and_then(|rest| rest.split('/').next()).unwrap().to_owned();
    demo.wait_for(&["anywhere", "200", "openai/gpt-5.5"]);

    assert!(post(&address, "/break/openai/no-such-fault").starts_with("HTTP/1.1 400"));
    assert!(post(&address, "/break/openai/reset").starts_with("HTTP/1.1 200"));
    demo.wait_for(&["anywhere", "openai-eu/gpt-5.5", "rewired from openai/gpt-5.5"]);
    assert!(post(&address, "/heal/openai").starts_with("HTTP/1.1 200"));
    demo.wait_for(&["anywhere", "openai/gpt-5.5", "rewired from openai-eu/gpt-5.5"]);

    assert!(post(&address, "/break/openai-eu/status-503").starts_with("HTTP/1.1 200"));
    demo.wait_for(&["europe", "503", "no_healthy_deployment"]);
    assert!(demo.end(), "it ends in good order");
    demo.wait_for(&["answered"]);
}
