//! metrics: over HTTP as Prometheus would, and as strangers might.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::scratch::Scratch;

/// A server on a port of its own; killed when the test ends before it.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(scratch: &Scratch) -> Self {
        let mut command = scratch.podring("metrics --listen 127.0.0.1:0 --json");
        let mut child = command.stdin(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        Self { child, address: object["listen"].as_str().unwrap().to_owned() }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn prometheus_scrapes_what_the_rings_count() {
    let scratch = Scratch::new("metrics");
    scratch.feed("send orders -f lines", b"one\ntwo\nthree\n").expect(0);
    let mut server = Server::start(&scratch);
    let answer = server.ask("GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text\r\n\r\n");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("Content-Type: application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
    assert!(body.ends_with("# EOF\n"), "{body}");
    let line = body.lines().find(|line| line.starts_with("podring_messages_total{")).unwrap();
    assert!(line.contains("ring=\"orders\",role=\"producer\",seat=\"0\",program=\"podring\""), "{line}");
    assert!(line.ends_with(" 3"), "{line}");
    // The older format, for those who do not ask for the newer one; and the same numbers once to a pipe.
    let answer = server.ask("GET /metrics HTTP/1.0\r\n\r\n");
    assert!(answer.contains("text/plain; version=0.0.4") && answer.contains(line), "{answer}");
    assert!(scratch.run("metrics --once").expect(0).text().contains(line));
    // A ring made after the start shows, one that was removed does not.
    scratch.run("create later").expect(0);
    scratch.run("rm orders").expect(0);
    let answer = server.ask("GET /metrics HTTP/1.1\r\n\r\n");
    assert!(answer.contains("ring=\"later\"") && !answer.contains("ring=\"orders\""), "{answer}");
    kill(Pid::from_raw(i32::try_from(server.child.id()).unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn strangers_do_not_stop_the_server() {
    let scratch = Scratch::new("metrics-strangers");
    let server = Server::start(&scratch);
    assert!(server.ask("GET /other HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
    let refused = server.ask("DELETE /metrics HTTP/1.1\r\n\r\n");
    assert!(refused.starts_with("HTTP/1.1 405") && refused.contains("Allow: GET, HEAD"), "{refused}");
    let head = server.ask("HEAD /metrics HTTP/1.1\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(server.ask(&format!("GET /metrics HTTP/1.1\r\nX: {}", "y".repeat(9000))).contains(" 431 "));
    // Gone before it asked; and one that says nothing keeps the next one waiting for its deadline only.
    server.connect().shutdown(Shutdown::Both).unwrap();
    let silent = server.connect();
    let began = Instant::now();
    assert!(server.ask("GET /metrics HTTP/1.1\r\n\r\n").contains("podring_rings"));
    assert!(began.elapsed() < Duration::from_secs(50), "{:?}", began.elapsed());
    drop(silent);
}

#[test]
fn an_address_in_use_is_named() {
    let scratch = Scratch::new("metrics-busy");
    let server = Server::start(&scratch);
    scratch.run(&format!("metrics --listen {}", server.address)).expect(1).says(&[&server.address, "in use"]);
    scratch.run("metrics").expect(2).says(&["--listen"]);
    scratch.run("metrics --once --json").expect(2).says(&["stat --json"]);
    scratch.run("metrics --listen nonsense").expect(2).says(&["nonsense"]);
}
