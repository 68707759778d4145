//! Lines, hexadecimal digits and JSON lines.

use crate::scratch::{Scratch, noise};

#[test]
fn lines_are_messages() {
    let scratch = Scratch::new("lines");
    scratch.feed("send r -f lines", b"a\n\nccc\r\nlast").expect(0).says(&["4 messages, 9 bytes"]);
    assert_eq!(scratch.run("recv r -f lines").expect(0).text(), "a\n\nccc\r\nlast\n");
}

#[test]
fn many_lines_arrive_in_order_through_a_small_ring() {
    let scratch = Scratch::new("many-lines");
    let input: String = (0..50_000).map(|line| format!("{line} {}\n", "x".repeat(line % 90))).collect();
    let receiver = scratch.start("recv r -f lines --capacity 4K");
    scratch.feed("send r -f lines --capacity 4K", input.as_bytes()).expect(0);
    let outcome = receiver.outcome();
    assert!(outcome.expect(0).text() == input, "other lines came out than went in");
}

#[test]
fn a_line_longer_than_a_message_may_be_names_itself() {
    let scratch = Scratch::new("long-line");
    let input = [&b"short\n"[..], &[b'x'; 1_000_000]].concat();
    scratch.feed("send r -f lines --capacity 64K", &input).expect(1).says(&[
        "line 2 of standard input",
        "32760 bytes",
        "1 messages",
    ]);
    let input = [&b"short\n"[..], &[b'x'; 3000], b"\n"].concat();
    scratch.feed("send s -f lines --capacity 4K", &input).expect(1).says(&[
        "line 2 of standard input was not sent",
        "3000 bytes",
        "2040",
    ]);
    assert_eq!(scratch.run("recv s -f lines --timeout 100ms").expect(124).text(), "short\n");
}

#[test]
fn hexadecimal_digits_come_back() {
    let scratch = Scratch::new("hex");
    scratch.feed("send r -f hex", b"00ff10\nDEADbeef\r\n\n  7a  \n").expect(0).says(&["4 messages, 8 bytes"]);
    assert_eq!(scratch.run("recv r -f hex").expect(0).text(), "00ff10\ndeadbeef\n\n7a\n");
}

#[test]
fn every_byte_comes_back_in_hexadecimal() {
    let scratch = Scratch::new("hex-bytes");
    let input = noise(10_000, 6);
    let text: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
    scratch.feed("send r -f hex", text.as_bytes()).expect(0);
    assert!(scratch.run("recv r -f raw").expect(0).stdout == input);
}

#[test]
fn bad_hexadecimal_digits_are_refused_and_nothing_is_sent() {
    let scratch = Scratch::new("bad-hex");
    scratch.feed("send r -f hex", b"12x4\n").expect(1).says(&["line 1", "not sent", "'x' at column 3"]);
    scratch.feed("send r -f hex", b"123\n").expect(1).says(&["line 1", "odd number"]);
    assert_eq!(scratch.info("r")["written_bytes"], 0);
    // What came before the bad line was good.
    scratch.feed("send r -f hex", b"0a\n0b\nzz\n0c\n").expect(1).says(&["line 3", "2 messages"]);
    assert_eq!(scratch.run("recv r -f hex --timeout 100ms").expect(124).text(), "0a\n0b\n");
}

#[test]
fn json_lines_are_sent_as_they_are() {
    let scratch = Scratch::new("jsonl");
    let input = "{\"a\": [1, 2.50, null]}\n\"text \\n\"\n  17\n";
    scratch.feed("send r -f jsonl", input.as_bytes()).expect(0).says(&["3 messages"]);
    assert_eq!(scratch.run("recv r -f jsonl").expect(0).text(), input);
}

#[test]
fn invalid_json_is_refused_naming_the_line() {
    let scratch = Scratch::new("bad-jsonl");
    scratch
        .feed("send r -f jsonl", b"{\"a\":1}\n{\"a\":\n[]\n")
        .expect(1)
        .says(&["line 2 of standard input was not sent: not valid JSON", "1 messages"]);
    assert_eq!(scratch.run("recv r -f jsonl --timeout 100ms").expect(124).text(), "{\"a\":1}\n");
    scratch.feed("send r -f jsonl", b"\n").expect(1).says(&["line 1", "it is empty"]);
    scratch.feed("send r -f jsonl", b"\"\xff\"\n").expect(1).says(&["line 1"]);
    assert_eq!(scratch.info("r")["used_bytes"], 0);
}

#[test]
fn a_message_that_is_not_json_stays_in_the_ring() {
    let scratch = Scratch::new("not-json");
    scratch.feed("send r -f lines", b"1\nno json\n3\n").expect(0);
    let outcome = scratch.run("recv r -f jsonl");
    outcome.expect(1).says(&["message 2 is not valid JSON", "stays in the ring"]);
    assert_eq!(outcome.text(), "1\n");
    assert_eq!(scratch.run("recv r -f lines").expect(0).text(), "no json\n3\n");
}

#[test]
fn json_over_several_lines_becomes_one_line() {
    let scratch = Scratch::new("pretty-json");
    scratch.feed("send r", b"{\n  \"a\": 1\n}").expect(0);
    assert_eq!(scratch.run("recv r -f jsonl").expect(0).text(), "{   \"a\": 1 }\n");
}
