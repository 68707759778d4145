//! As much of HTTP as a scrape needs: one connection at a time, each with a deadline and a bounded request, so
//! that nobody can make it keep more than one page in memory or wait for ever.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::exposition::Format;
use crate::output::Failure;
use crate::signals;

/// Where the metrics are.
pub(crate) const PATH: &str = "/metrics";

/// A connection is served within this time, or dropped.
const LONGEST: Duration = Duration::from_secs(5);
/// Bytes of a request's head.
const LARGEST: usize = 8192;
/// Its headers.
const HEADERS: usize = 64;

type Scrape<'a> = &'a dyn Fn(Format) -> Result<String, Failure>;

/// Answers until the user wants the program to stop.
pub(crate) fn serve(listener: &TcpListener, scrape: Scrape) -> Result<(), Failure> {
    while !signals::stopped() {
        let mut ready = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        // A signal interrupts it.
        if !poll(&mut ready, PollTimeout::NONE).is_ok_and(|ready| ready > 0) {
            continue;
        }
        match listener.accept() {
            // What goes wrong with one reader is that one's trouble, and it has noticed.
            Ok((stream, _)) => drop(answer(&stream, scrape)),
            Err(error) if is_passing(error.kind()) => {}
            Err(error) => return Err(Failure::io("accepting a connection", &error)),
        }
    }
    Ok(())
}

fn is_passing(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Interrupted | ErrorKind::ConnectionAborted | ErrorKind::WouldBlock)
}

/// What is asked for, as far as it matters.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Metrics { format: Format, body: bool },
    Refused { status: &'static str, why: &'static str },
}

fn answer(stream: &TcpStream, scrape: Scrape) -> io::Result<()> {
    let deadline = Instant::now() + LONGEST;
    let asked = read(stream, deadline)?;
    let refused = matches!(asked, Asked::Refused { .. });
    let (status, content_type, body, with_body) = match asked {
        Asked::Metrics { format, body } => match scrape(format) {
            Ok(text) => ("200 OK", format.content_type(), text, body),
            Err(failure) => ("500 Internal Server Error", PLAIN, format!("{}\n", failure.message()), body),
        },
        Asked::Refused { status, why } => (status, PLAIN, format!("{why}\n"), true),
    };
    let allow = if status.starts_with("405") { "Allow: GET, HEAD\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{allow}Connection: close\r\n\r\n",
        body.len()
    );
    write(stream, head.as_bytes(), deadline)?;
    if with_body {
        write(stream, body.as_bytes(), deadline)?;
    }
    if refused {
        // Closed with input unread, the connection would be reset, and the refusal might never be seen.
        stream.shutdown(Shutdown::Write)?;
        discard(stream, deadline)?;
    }
    Ok(())
}

fn discard(mut stream: &TcpStream, deadline: Instant) -> io::Result<()> {
    let mut bytes = [0; LARGEST];
    loop {
        stream.set_read_timeout(left(deadline)?)?;
        match stream.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";

/// The time that is left, or an error.
fn left(deadline: Instant) -> io::Result<Option<Duration>> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() || signals::stopped() { Err(ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
}

fn write(mut stream: &TcpStream, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.set_write_timeout(left(deadline)?)?;
        match stream.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn read(mut stream: &TcpStream, deadline: Instant) -> io::Result<Asked> {
    let mut head = [0; LARGEST];
    let mut len = 0;
    loop {
        if let Some(asked) = parse(&head[..len]) {
            return Ok(asked);
        }
        if len == LARGEST {
            let status = "431 Request Header Fields Too Large";
            return Ok(Asked::Refused { status, why: "the request is too long" });
        }
        stream.set_read_timeout(left(deadline)?)?;
        match stream.read(&mut head[len..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => len += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// `None`: there is more to come.
fn parse(head: &[u8]) -> Option<Asked> {
    let refused = |status, why| Some(Asked::Refused { status, why });
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return None,
        Err(_) => return refused("400 Bad Request", "this is no HTTP request"),
    }
    let path = request.path.unwrap_or_default().split('?').next().unwrap_or_default();
    if path != PATH {
        return refused("404 Not Found", "the metrics are at /metrics");
    }
    let body = match request.method {
        Some("GET") => true,
        Some("HEAD") => false,
        _ => return refused("405 Method Not Allowed", "metrics are read with GET"),
    };
    let accepts_open_metrics = request.headers.iter().any(|header| {
        header.name.eq_ignore_ascii_case("accept")
            && str::from_utf8(header.value).is_ok_and(|value| value.contains("application/openmetrics-text"))
    });
    let format = if accepts_open_metrics { Format::OpenMetrics } else { Format::Prometheus };
    Some(Asked::Metrics { format, body })
}

#[cfg(test)]
mod tests {
    use super::{Asked, Format, parse};

    #[test]
    fn the_reader_chooses_the_format() {
        let asked = |head: &str| parse(head.as_bytes());
        let metrics = |format, body| Some(Asked::Metrics { format, body });
        assert_eq!(asked("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), metrics(Format::Prometheus, true));
        let prometheus =
            "GET /metrics?x=1 HTTP/1.1\r\naccept: application/openmetrics-text;version=1.0.0,*/*\r\n\r\n";
        assert_eq!(asked(prometheus), metrics(Format::OpenMetrics, true));
        assert_eq!(asked("HEAD /metrics HTTP/1.0\r\n\r\n"), metrics(Format::Prometheus, false));
        assert_eq!(asked("GET /metrics HT"), None);
    }

    #[test]
    fn anything_else_is_refused() {
        let status = |head: &[u8]| match parse(head) {
            Some(Asked::Refused { status, .. }) => &status[..3],
            other => panic!("{other:?}"),
        };
        assert_eq!(status(b"GET / HTTP/1.1\r\n\r\n"), "404");
        assert_eq!(status(b"POST /metrics HTTP/1.1\r\n\r\n"), "405");
        assert_eq!(status(b"\x16\x03\x01\x02\x00 hello"), "400");
        let many: String = (0..100).map(|number| format!("H{number}: x\r\n")).collect();
        assert_eq!(status(format!("GET /metrics HTTP/1.1\r\n{many}\r\n").as_bytes()), "400");
    }
}
