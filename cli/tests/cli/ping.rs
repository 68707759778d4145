//! Round trips.

use crate::scratch::Scratch;

#[test]
fn ping_measures_what_pong_echoes() {
    let scratch = Scratch::new("ping");
    // Twice over the same rings: nothing of the first run disturbs the second.
    for wait in ["adaptive", "park"] {
        let pong = scratch.start(&format!("pong r --wait {wait} --json"));
        let ping =
            scratch.run(&format!("ping r --wait {wait} --count 2000 --warmup 100 --timeout 30s --json"));
        let object = ping.expect(0).json();
        assert_eq!(object["n"], 2000);
        assert_eq!(object["message_bytes"], 64);
        let keys = ["min_ns", "p50_ns", "p90_ns", "p99_ns", "p99_9_ns", "p99_99_ns", "max_ns"];
        let values: Vec<u64> = keys.iter().map(|key| object[key].as_u64().unwrap()).collect();
        assert!(values[0] > 0 && values.is_sorted(), "{object}");
        let echoed = pong.outcome().expect(0).json();
        assert_eq!(echoed["messages"], 2100);
    }
    assert_eq!(scratch.names(), ["r.ping", "r.pong"]);
}

#[test]
fn a_duration_ends_it_and_the_text_has_every_percentile() {
    let scratch = Scratch::new("ping-text");
    let pong = scratch.start("pong r");
    let ping = scratch.run("ping r --duration 100ms --size 1K --timeout 30s");
    for part in ["1024 bytes", "p50 ", "p90 ", "p99 ", "p99.9 ", "p99.99 ", "max ", "n "] {
        assert!(ping.expect(0).text().contains(part), "{ping:?}");
    }
    pong.outcome().expect(0);
}

#[test]
fn a_killed_pong_is_succeeded_by_the_next() {
    let scratch = Scratch::new("ping-kill");
    let ping = scratch.start("ping r --count 20000 --timeout 30s");
    let pong = scratch.start("pong r");
    scratch.wait_for_seat("r.pong", "producer");
    crate::scratch::wait_until("round trips", || scratch.info("r.pong")["read_bytes"].as_u64() > Some(7200));
    pong.kill();
    let pong = scratch.start("pong r");
    // An echo whose original was not released before the kill is sent once more, which is no wrong echo.
    ping.outcome().expect(0);
    pong.outcome().expect(0);
}

#[test]
fn a_cpu_that_is_not_there_is_an_error() {
    let scratch = Scratch::new("ping-cpu");
    scratch.run("pong r --cpu 1000").expect(1).says(&["CPU 1000"]);
}
