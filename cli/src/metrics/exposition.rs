//! Reports as Prometheus reads them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use podring::Role;
use podring::inspect::{Report, Seat, State};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use crate::watch::flow::alive;
use crate::watch::look::{Key, Look};
use crate::{human, ls};

/// Of the two text formats, the one the reader understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    OpenMetrics,
    /// Version 0.0.4.
    Prometheus,
}

impl Format {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
        }
    }
}

/// Everything there is to say of these rings, but of no more than `max_rings`.
pub(crate) fn text(looks: BTreeMap<Key, Look>, max_rings: usize, format: Format) -> String {
    let seen = looks.len();
    let rings = looks
        .into_iter()
        .take(max_rings)
        .map(|((dir, _), look)| (human::harmless(&dir.display().to_string()), look.report))
        .collect();
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Rings { rings, seen }));
    let mut body = String::new();
    let encoded = match format {
        Format::OpenMetrics => text::encode(&mut body, &registry),
        Format::Prometheus => prometheus_text::encode(&mut body, &registry),
    };
    encoded.expect("writing to a string does not fail");
    body
}

#[derive(Debug)]
struct Rings {
    /// With their directories.
    rings: Vec<(String, Report)>,
    /// Also those that were too many.
    seen: usize,
}

type Labels<'a> = Vec<(&'static str, String)>;

impl Collector for Rings {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        encoder
            .encode_descriptor("podring_rings", "Rings seen", None, MetricType::Gauge)?
            .encode_gauge(&(self.seen as f64))?;
        encoder
            .encode_descriptor(
                "podring_rings_omitted",
                "Rings beyond --max-rings, of which nothing is said",
                None,
                MetricType::Gauge,
            )?
            .encode_gauge(&((self.seen - self.rings.len()) as f64))?;
        self.info(&mut encoder)?;
        for (name, help, unit, value) in RING_GAUGES {
            let mut family = encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
            for (dir, report) in &self.rings {
                family.encode_family(&ring_labels(dir, report))?.encode_gauge(&value(report))?;
            }
        }
        for (name, help, unit, value) in RING_COUNTERS {
            let mut family = encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Counter)?;
            for (dir, report) in &self.rings {
                let labels = ring_labels(dir, report);
                family.encode_family(&labels)?.encode_counter::<Labels, _, u64>(&value(report), None)?;
            }
        }
        let help = "Participants alive";
        let mut family = encoder.encode_descriptor("podring_participants", help, None, MetricType::Gauge)?;
        for (dir, report) in &self.rings {
            for role in [Role::Producer, Role::Consumer] {
                let mut labels = ring_labels(dir, report);
                labels.push(("role", role.to_string()));
                family.encode_family(&labels)?.encode_gauge(&(alive(report, role) as f64))?;
            }
        }
        for (name, help, unit, value) in SEAT_GAUGES {
            let mut family = encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
            for (labels, seat) in self.seats() {
                family.encode_family(&labels)?.encode_gauge(&value(seat))?;
            }
        }
        for (name, help, unit, value) in SEAT_COUNTERS {
            let mut family = encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Counter)?;
            for (labels, seat) in self.seats() {
                family.encode_family(&labels)?.encode_counter::<Labels, _, u64>(&value(seat), None)?;
            }
        }
        Ok(())
    }
}

impl Rings {
    /// What is text, as labels of a metric that is always 1.
    fn info(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let help = "What the ring is; id changes when it is made anew";
        let mut family = encoder.encode_descriptor("podring_ring", help, None, MetricType::Info)?;
        for (dir, report) in &self.rings {
            let facts: Labels = vec![
                ("kind", report.kind.to_string()),
                ("id", ls::id(report)),
                ("creator", human::harmless(&report.creator)),
                ("mode", human::mode(report.mode)),
                ("uid", report.uid.to_string()),
            ];
            family.encode_family(&ring_labels(dir, report))?.encode_info(&facts)?;
        }
        Ok(())
    }

    /// Every seat that was ever taken, with its labels.
    fn seats(&self) -> impl Iterator<Item = (Labels<'_>, &Seat)> {
        self.rings.iter().flat_map(|(dir, report)| {
            report.seats.iter().map(move |seat| {
                let mut labels = ring_labels(dir, report);
                labels.extend([
                    ("role", seat.role.to_string()),
                    ("seat", seat.index.to_string()),
                    ("program", human::harmless(&seat.program)),
                    ("container", human::harmless(&seat.host)),
                ]);
                (labels, seat)
            })
        })
    }
}

fn ring_labels(dir: &str, report: &Report) -> Labels<'static> {
    vec![("dir", dir.to_owned()), ("ring", report.name.clone())]
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Name, help, unit, and how to get the value.
type Metric<Of, Value> = (&'static str, &'static str, Option<Unit>, fn(&Of) -> Value);

const RING_GAUGES: [Metric<Report, f64>; 7] = [
    ("podring_ring_live", "1 if anybody is attached", None, |it| flag(it.state == State::Live)),
    ("podring_ring_closed", "1 if its producers have marked the end of the stream", None, |it| {
        flag(it.closed)
    }),
    ("podring_ring_capacity", "Bytes of data it holds", Some(Unit::Bytes), |it| it.capacity as f64),
    ("podring_ring_used", "Bytes published and not released", Some(Unit::Bytes), |it| it.used as f64),
    ("podring_ring_file", "Bytes of its file", Some(Unit::Bytes), |it| it.bytes as f64),
    ("podring_ring_created_timestamp", "When it was made", Some(Unit::Seconds), |it| seconds(it.created)),
    (
        "podring_ring_last_activity_timestamp",
        "When somebody last attached, left or went to sleep",
        Some(Unit::Seconds),
        |it| seconds(it.last_activity),
    ),
];

const RING_COUNTERS: [Metric<Report, u64>; 2] = [
    (
        "podring_ring_written",
        "Bytes of data published, headers and padding included",
        Some(Unit::Bytes),
        |it| it.written,
    ),
    ("podring_ring_read", "Bytes of data released, headers and padding included", Some(Unit::Bytes), |it| {
        it.read
    }),
];

const SEAT_GAUGES: [Metric<Seat, f64>; 2] = [
    ("podring_seat_live", "1 if its holder is alive, which its lock proves", None, |it| flag(it.live)),
    ("podring_seat_attached_timestamp", "When its holder attached", Some(Unit::Seconds), |it| {
        seconds(it.since)
    }),
];

/// Counters run on over all holders of a seat.
const SEAT_COUNTERS: [Metric<Seat, u64>; 11] = [
    ("podring_messages", "Messages published (producer) or released (consumer)", None, |it| {
        it.stats.messages
    }),
    (
        "podring_messages_size",
        "Bytes of these messages, without headers and padding",
        Some(Unit::Bytes),
        |it| it.stats.bytes,
    ),
    ("podring_parks", "Sleeps", None, |it| it.stats.parks),
    ("podring_wakes", "Times it woke somebody who slept", None, |it| it.stats.wakes),
    (
        "podring_stalls",
        "Times the ring was full (producer) or empty (consumer) for longer than polling lasts",
        None,
        |it| it.stats.stalls,
    ),
    (
        "podring_slice_rescues",
        "Sleeps that ended by their time-out although there was something",
        None,
        |it| it.stats.slice_rescues,
    ),
    (
        "podring_redeliveries",
        "Messages handed out again after the death of their first receiver",
        None,
        |it| it.stats.redeliveries,
    ),
    ("podring_abandoned", "Messages claimed and dropped without being published", None, |it| {
        it.stats.abandoned
    }),
    ("podring_dropped", "Messages that nobody got because their receiver died with them", None, |it| {
        it.stats.dropped
    }),
    ("podring_repairs", "Times its holder died and what it left was put right", None, |it| it.stats.repairs),
    ("podring_attaches", "Times the seat was taken", None, |it| it.stats.attaches),
];

fn flag(it: bool) -> f64 {
    f64::from(u8::from(it))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Instant;

    use podring::Role;

    use super::{Format, text};
    use crate::watch::fixture::{report, seat};
    use crate::watch::look::Look;

    fn scrape(max_rings: usize, format: Format) -> String {
        let mut looks = BTreeMap::new();
        for name in ["orders", "replies"] {
            let mut report = report(name);
            report.used = 512;
            report.seats = vec![seat(0, Role::Producer, 12), seat(1, Role::Consumer, u64::MAX)];
            report.seats[0].program = "we\"b\\app\n".to_owned();
            looks.insert(("/dev/shm".into(), name.to_owned()), Look { at: Instant::now(), report });
        }
        text(looks, max_rings, format)
    }

    #[test]
    fn each_series_has_its_labels_and_an_exact_value() {
        let text = scrape(10, Format::OpenMetrics);
        for line in [
            "# TYPE podring_messages counter",
            "# TYPE podring_ring_used_bytes gauge",
            "# UNIT podring_ring_used_bytes bytes",
            "# TYPE podring_ring info",
            r#"podring_ring_used_bytes{dir="/dev/shm",ring="orders"} 512.0"#,
            r#"podring_participants{dir="/dev/shm",ring="orders",role="consumer"} 1.0"#,
            // A control character becomes a question mark; quotes and backslashes are escaped.
            r#"podring_messages_total{dir="/dev/shm",ring="orders",role="producer",seat="0",program="we\"b\\app?",container="web-0"} 12"#,
            r#"podring_messages_total{dir="/dev/shm",ring="orders",role="consumer",seat="1",program="db-app",container="db-1"} 18446744073709551615"#,
            r#"podring_ring_created_timestamp_seconds{dir="/dev/shm",ring="replies"} 1795433945.0"#,
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\nis not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn no_series_comes_twice_and_every_one_has_a_type() {
        for format in [Format::OpenMetrics, Format::Prometheus] {
            let text = scrape(10, format);
            let mut seen = BTreeSet::new();
            for line in text.lines().filter(|line| !line.starts_with('#')) {
                let (series, value) = line.rsplit_once(' ').unwrap();
                assert!(seen.insert(series), "{line}");
                assert!(value.parse::<f64>().unwrap() >= 0.0, "{line}");
                let name = series.split('{').next().unwrap();
                let family = name.trim_end_matches("_total").trim_end_matches("_info");
                let typed = |it: &str| text.contains(&format!("# TYPE {it} "));
                assert!(typed(family) || typed(name), "{line}");
            }
            assert_eq!(text.contains("# EOF"), format == Format::OpenMetrics);
        }
    }

    #[test]
    fn too_many_rings_are_counted_and_left_out() {
        let text = scrape(1, Format::OpenMetrics);
        assert!(
            text.contains("podring_rings 2.0\n") && text.contains("podring_rings_omitted 1.0\n"),
            "{text}"
        );
        assert!(text.contains("orders") && !text.contains("replies"));
    }
}
