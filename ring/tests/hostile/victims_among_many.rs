//! The same in a ring that many share: several of them may be attacked at once, and take each other for dead.

use std::time::Duration;

use podring::{Create, Mpmc, Options};

use crate::bounded::ENTRY;
use crate::victims::{MANY, MARGIN, UNTOUCHED, Victim, run};

fn options(victim: &mut Victim<'_>) -> Options<Mpmc> {
    let (wait, slice) = victim.waiting();
    let options = podring::mpmc(MANY).dir(victim.dir).create(Create::Never).open_timeout(Duration::ZERO);
    options.wait(wait).slice(slice)
}

pub(crate) fn send(args: &[String]) {
    run(args, |victim| {
        let options = options(victim);
        let Some(mut tx) = victim.calls.within(ENTRY, || options.producer()) else { return };
        let _guards = victim.guards(MANY);
        let largest = tx.largest_message().min(1 << 20);
        let message = vec![7; largest + 1];
        while victim.goes_on() {
            let len = [0, 8, largest, largest + 1][victim.random.below(4) as usize];
            let wait = victim.timeout();
            let calls = &mut victim.calls;
            match victim.random.below(8) {
                0 | 1 => calls.tries(Duration::ZERO, || tx.try_send(&message[..len])),
                2 | 3 => calls.tries(wait, || tx.send_timeout(&message[..len], wait)),
                4 => {
                    if let Some(mut claim) = calls.within(wait, || tx.claim_timeout(len, wait)) {
                        claim.fill(9);
                        if victim.random.one_in(2) {
                            claim.commit();
                        }
                    }
                }
                5 => {
                    let mut batch = tx.batch();
                    for _ in 0..victim.random.below(12) {
                        calls.tries(wait, || batch.send_timeout(&message[..len], wait));
                    }
                }
                6 => calls.tries(Duration::ZERO, || tx.repair()),
                _ => {
                    let _ = tx.stats();
                    calls.tries(Duration::ZERO, || tx.peers());
                }
            }
            if victim.random.one_in(200) {
                victim.calls.tries(Duration::ZERO, || tx.close());
                return;
            }
        }
    });
}

pub(crate) fn receive(args: &[String]) {
    run(args, |victim| {
        let options = options(victim);
        let Some(mut rx) = victim.calls.within(ENTRY, || options.consumer()) else { return };
        let _guards = victim.guards(MANY);
        let largest = rx.largest_message().min(1 << 20);
        let mut buffer = vec![UNTOUCHED; largest + MARGIN];
        let mut out = Vec::new();
        while victim.goes_on() {
            let wait = victim.timeout();
            let calls = &mut victim.calls;
            match victim.random.below(8) {
                0 | 1 => calls.tries(Duration::ZERO, || rx.try_recv_to_vec(&mut out)),
                2 => calls.tries(wait, || rx.recv_to_vec_timeout(&mut out, wait)),
                3..=5 => {
                    let got = calls.within(wait, || rx.recv_into_timeout(&mut buffer[..largest], wait));
                    assert!(got.is_none_or(|len| len <= largest));
                    assert!(
                        buffer[largest..].iter().all(|byte| *byte == UNTOUCHED),
                        "written behind the buffer"
                    );
                }
                6 => calls.tries(Duration::ZERO, || rx.repair()),
                _ => {
                    let _ = rx.stats();
                    calls.tries(Duration::ZERO, || rx.peers());
                }
            }
            assert!(out.len() <= largest, "{} bytes", out.len());
        }
    });
}
