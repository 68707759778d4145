//! A file from anywhere is opened as a ring: by both sides, of both kinds, and by who only looks. Whatever it
//! holds, and whatever is written to it while it is open, comes back as an error or as a message.
//!
//! ```text
//! byte 0     0: the rest is the file. Otherwise a file that is right, of bytes (odd) or typed (even)
//! byte 1     how many patches follow; whether the checksum is put right; whether the length is changed
//! patches    where (2 bytes), how much (1), what (1 to 8)
//! the rest   operations, patches among them
//! ```

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use podring::{
    Consumer, Create, Error, Options, Producer, Result, TypedConsumer, TypedProducer, Wait, inspect,
};

use crate::bytes::Bytes;
use crate::guard::{self, Guards};

type Element = [u32; 4];
const NAME: &str = "segment";
const IDENTITY: usize = 512;
const CONTROL: usize = 4096;
const DATA: usize = 24_576;
const WAIT: Duration = Duration::from_micros(50);
const OPERATIONS: usize = 64;

/// One input.
pub fn run(input: &[u8]) {
    static CEILING: OnceLock<()> = OnceLock::new();
    CEILING.get_or_init(guard::ceiling);
    let mut bytes = Bytes::new(input);
    let form = bytes.byte();
    if form == 0 {
        let file = put(bytes.rest());
        open_all(&mut Bytes::new(&[]), &file);
        return;
    }
    let mut segment = template(form & 1 == 0).to_vec();
    let how = bytes.byte();
    for _ in 0..how % 16 {
        let (at, patch) = patch(&mut bytes, segment.len());
        segment[at..at + patch.len()].copy_from_slice(patch);
    }
    if how & 0x10 != 0 {
        let checksum = fnv1a(&segment[..IDENTITY - 8]);
        segment[IDENTITY - 8..IDENTITY].copy_from_slice(&checksum.to_le_bytes());
    }
    if how & 0xe0 == 0xe0 {
        segment.resize(bytes.short(), 0xff);
    }
    let file = put(&segment);
    open_all(&mut bytes, &file);
}

/// A place and what is written there: control lines, identity and the first records more often than the rest.
fn patch<'a>(bytes: &mut Bytes<'a>, len: usize) -> (usize, &'a [u8]) {
    let place = bytes.short();
    let at = match place >> 14 {
        0 => place % IDENTITY,
        1 => CONTROL + place % 640,
        2 => DATA + (place & 0x3fff) % 4096,
        _ => (place & 0x3fff) * 2,
    } % len;
    let width = 1 + usize::from(bytes.byte() % 8);
    let patch = bytes.take(width);
    (at, &patch[..patch.len().min(len - at)])
}

fn path() -> PathBuf {
    crate::dir().join(NAME)
}

/// The file, anew: a ring's users may still have the one before.
fn put(segment: &[u8]) -> File {
    let _ = std::fs::remove_file(path());
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(path()).expect("a file");
    file.write_all(segment).expect("room");
    file
}

/// A ring that is right and has seen some use.
fn template(typed: bool) -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    static TYPED: OnceLock<Vec<u8>> = OnceLock::new();
    if typed {
        TYPED.get_or_init(|| {
            let mut tx = fresh().typed::<Element>().elements(256).producer().expect("a typed ring");
            tx.send_all(&[[3; 4]; 200]).expect("room");
            used()
        })
    } else {
        BYTES.get_or_init(|| {
            let mut tx = fresh().capacity(4096).producer().expect("a ring");
            let mut rx = fresh().consumer().expect("a consumer");
            // The last record begins near the end of the area; padding and another come after it.
            for len in [1000, 1000, 1000, 800, 20] {
                tx.send(&vec![5; len]).expect("room");
                let _ = rx.try_recv().expect("a message");
            }
            for len in [100, 900, 0] {
                tx.send(&vec![6; len]).expect("room");
            }
            used()
        })
    }
}

fn fresh() -> Options {
    podring::spsc("template").dir(crate::dir()).wait(Wait::Park)
}

fn used() -> Vec<u8> {
    let segment = std::fs::read(crate::dir().join("template")).expect("the ring");
    inspect::remove(crate::dir(), "template", inspect::Remove::Force).expect("the ring");
    segment
}

#[derive(Default)]
struct Handles {
    tx: Option<Producer>,
    rx: Option<Consumer>,
    typed_tx: Option<TypedProducer<Element>>,
    typed_rx: Option<TypedConsumer<Element>>,
    guards: Vec<Option<Guards>>,
}

fn open_all(bytes: &mut Bytes<'_>, file: &File) {
    look();
    let options = || {
        podring::spsc(NAME)
            .dir(crate::dir())
            .create(Create::Never)
            .open_timeout(Duration::ZERO)
            .wait(Wait::Park)
            .slice(Duration::from_millis(1))
    };
    let mut handles = Handles {
        tx: judge(options().producer()),
        rx: judge(options().consumer()),
        typed_tx: judge(options().typed::<Element>().producer()),
        typed_rx: judge(options().typed::<Element>().consumer()),
        guards: Vec::new(),
    };
    handles.guards.push(Guards::around(&path()));
    for _ in 0..OPERATIONS {
        if bytes.is_empty() {
            break;
        }
        operate(&mut handles, bytes, file);
    }
    look();
}

fn operate(handles: &mut Handles, bytes: &mut Bytes<'_>, file: &File) {
    let operation = bytes.byte();
    if operation < 0x40 {
        let (at, patch) = patch(bytes, file.metadata().expect("the file").len().max(1) as usize);
        // Never behind the end: a file that grows is another matter.
        let _ = file.write_all_at(patch, at as u64);
        return;
    }
    let len = bytes.short() % 2200;
    if let Some(tx) = &mut handles.tx {
        let message = [9; 2200];
        match operation % 6 {
            0 => drop(judge(tx.try_send(&message[..len]))),
            1 => drop(judge(tx.send_timeout(&message[..len], WAIT))),
            2 => {
                if let Some(Some(mut claim)) = judge(tx.try_claim(len)) {
                    claim.fill(4);
                    claim.commit();
                }
            }
            3 => {
                let mut batch = tx.batch();
                for part in 1..4 {
                    judge(batch.try_send(&message[..len / part]));
                }
                judge(batch.send_timeout(&message[..len], WAIT));
                batch.publish();
            }
            4 if operation > 0xf0 => drop(judge(tx.close())),
            _ => drop(judge(tx.peers())),
        }
    }
    if let Some(rx) = &mut handles.rx {
        let mut out = Vec::new();
        match operation / 8 % 5 {
            0 => drop(judge(rx.try_recv_to_vec(&mut out))),
            1 => {
                let mut buffer = vec![0; len];
                let got = judge(rx.recv_into_timeout(&mut buffer, WAIT));
                assert!(got.is_none_or(|got| got <= len));
            }
            2 => {
                if let Some(Some(message)) = judge(rx.try_recv()) {
                    out.extend_from_slice(&message);
                }
            }
            3 => {
                if let Some(Some(mut drain)) = judge(rx.try_drain()) {
                    while let Some(Some(message)) = judge(drain.next()) {
                        out.extend_from_slice(message);
                    }
                }
            }
            _ => drop(judge(rx.peers())),
        }
        assert!(out.len() <= rx.capacity());
    }
    if let Some(tx) = &mut handles.typed_tx {
        judge(tx.try_send(&[1; 4]));
        judge(tx.send_timeout(&[2; 4], WAIT));
    }
    if let Some(rx) = &mut handles.typed_rx {
        judge(rx.try_recv());
        judge(rx.recv_timeout(WAIT));
    }
}

fn look() {
    if let Some(report) = judge(inspect::report(crate::dir(), NAME)) {
        assert!(report.used <= report.capacity, "{report:?}");
        let plain = |text: &String| !text.chars().any(char::is_control);
        let texts = report.seats.iter().flat_map(|seat| [&seat.program, &seat.host]);
        assert!(texts.chain([&report.creator]).all(plain), "{report:?}");
        assert!(report.element.is_none_or(|element| plain(&element.name)));
    }
    assert_eq!(inspect::list(crate::dir()).expect("the list").len(), 1);
}

/// The value, or nothing for an error that a broken segment may lead to.
#[track_caller]
fn judge<T>(result: Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
            let allowed = matches!(
                error,
                Error::Corrupt { .. }
                    | Error::NotARing { .. }
                    | Error::Version { .. }
                    | Error::Truncated { .. }
                    | Error::Mismatch { .. }
                    | Error::Timeout { .. }
                    | Error::Closed { .. }
                    | Error::TooLarge { .. }
                    | Error::BufferTooSmall { .. }
                    | Error::RoleTaken { .. }
            );
            assert!(allowed, "not what a segment may lead to: {error:?}");
            None
        }
    }
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
