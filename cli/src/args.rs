//! The command line: every command and option, as clap sees them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

use crate::doctor::{Fingerprint, Part};
use crate::{duration, rate, size};

/// Shared-memory rings between containers: send, receive, inspect, verify.
///
/// Exit status: 0 ok, 1 failure, 2 usage, 3 not found, busy or incompatible, 5 loss, duplicate, reorder
/// or corruption, 124 timeout.
#[derive(Debug, Parser)]
#[command(name = "podring", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// Directory that holds the rings; both sides must share it. Commands that look at many rings take several
    #[arg(long = "dir", global = true, value_name = "DIR", default_value = podring::DEFAULT_DIR,
          value_hint = ValueHint::DirPath)]
    pub(crate) dirs: Vec<PathBuf>,

    /// Print exactly one JSON object (on standard error where standard output carries data; `stat`: one a line)
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Send standard input as messages
    ///
    /// The end of the input marks the end of the stream: receivers get what is there, then end. Ctrl-C, SIGTERM
    /// and failures do not mark it: a later sender goes on.
    Send(SendArgs),
    /// Write messages to standard output
    ///
    /// Ends at the end of the stream. A message is released only after it was written; what was not written the
    /// next receiver gets again.
    Recv(RecvArgs),
    /// Create a ring without attaching to it
    Create(CreateArgs),
    /// List every ring and foreign file of the directory
    ///
    /// Of other directories that --all finds, only rings are shown.
    Ls(PlacesArgs),
    /// Show everything about one ring
    Info(InfoArgs),
    /// Remove rings; one that is in use only with --force
    Rm(RmArgs),
    /// Say whether rings can work here, what they share, and what mends it if not
    ///
    /// Each line is ok, warn or fail, with the command that mends it. With --with NAME on both sides at the same
    /// time: whether the two see the same memory, by a token really exchanged, and the likely cause if not.
    ///
    /// Exit status: 1 if anything fails; warnings do not.
    Doctor(DoctorArgs),
    /// Watch rings live: rates, fill, who takes part; Enter shows one with its history
    ///
    /// Needs a terminal; `stat` does not. Watching disturbs nobody and needs read permission alone.
    #[cfg(feature = "top")]
    Top(TopArgs),
    /// Print rates, fill and waits, one line for each ring and interval
    ///
    /// SENT/s, RECV/s and BYTES/s (received) are per second; parks, stalls, wakes, slice rescues and redeliveries
    /// are counted since the line before. Watching disturbs nobody and needs read permission alone.
    Stat(StatArgs),
    /// Serve counters and gauges to Prometheus
    ///
    /// In the text format that the reader asks for, OpenMetrics or Prometheus, at http://ADDR/metrics. Watching
    /// disturbs nobody and needs read permission alone.
    Metrics(MetricsArgs),
    /// Check delivery: sequence numbers and checksums of random messages
    ///
    /// With one producer and one consumer, the consumer sees all there is to see. In a ring with many of both it sees
    /// its share: give every participant the same --journal DIR, and compare with `podring verify account` at the end.
    /// There, a producer writes down how many of its sends have returned, and a consumer notes each message before it
    /// releases it, in files that are mapped: SIGKILL takes nothing from them that was noted. So a message whose send
    /// returned and that nobody noted is lost; one that was noted twice is a duplicate, unless the ring had marked it
    /// as redelivered; and of those on their way when a producer was killed, each may have arrived or not.
    #[command(subcommand)]
    Verify(VerifyCommand),
    /// Measure round trips; the other side runs `podring pong NAME`
    ///
    /// Messages go over the ring NAME.ping and come back over NAME.pong; both rings stay until they are removed
    /// with `podring rm NAME.ping NAME.pong`. A round trip includes one look at the clock.
    Ping(PingArgs),
    /// Echo the messages of `podring ping NAME` until it ends
    Pong(PongArgs),
    /// Measure throughput and latency, beside the machine's floor of the same run
    ///
    /// Exit status besides: 4 regression (--baseline, --fail-if), 6 too noisy to tell, 130 interrupted.
    Bench(Box<podring_bench::args::Arguments>),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the manual page, of the program or of one command
    Man(ManArgs),
}

impl Command {
    pub(crate) fn keeps_stdout_for_data(&self) -> bool {
        matches!(self, Self::Send(_) | Self::Recv(_))
    }

    /// The ring that the command uses, if it uses exactly one.
    pub(crate) fn ring(&self) -> Option<&str> {
        match self {
            Self::Send(args) => Some(&args.name),
            Self::Recv(args) => Some(&args.name),
            Self::Create(args) => Some(&args.name),
            Self::Info(args) => Some(&args.name),
            Self::Verify(VerifyCommand::Producer(args)) => Some(&args.name),
            Self::Verify(VerifyCommand::Consumer(args)) => Some(&args.name),
            _ => None,
        }
    }
}

/// What every command that opens a ring understands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Ring options")]
pub(crate) struct RingArgs {
    /// Capacity of a ring that is created, rounded up to a power of two (64K, 1M, 1G) [default: 1M]
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub(crate) capacity: Option<usize>,

    /// Largest message of a ring that is created [default: half the capacity, less 8 bytes; with --mpmc 1008]
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub(crate) largest: Option<usize>,

    /// Permission bits of a ring that is created, in octal [default: 0600]
    #[arg(long, value_name = "OCTAL", value_parser = parse_mode)]
    pub(crate) mode: Option<u32>,

    /// How to wait for the other side
    #[arg(long, value_enum, default_value_t = WaitArg::Adaptive)]
    pub(crate) wait: WaitArg,

    /// Do not create the ring: wait for the other side to create it
    #[arg(long)]
    pub(crate) no_create: bool,

    /// With --no-create: how long to wait for the ring (100ms, 5s, 1m)
    #[arg(long, value_name = "DUR", default_value = "5s", value_parser = duration::parse)]
    pub(crate) open_timeout: Duration,

    /// When the other side dies: wait for its successor, or report it and end
    #[arg(long, value_enum, default_value_t = PeerLossArg::Wait)]
    pub(crate) peer_loss: PeerLossArg,

    /// Refuse a ring that belongs to anyone but this user id
    #[arg(long, value_name = "UID")]
    pub(crate) owner: Option<u32>,
}

/// The same, for commands that take any kind of ring. One that exists is taken as it is.
#[derive(Debug, Args)]
#[command(next_help_heading = "Ring options")]
pub(crate) struct AnyRingArgs {
    #[command(flatten)]
    pub(crate) ring: RingArgs,

    /// A ring with many producers and many consumers; one that exists need not be said to be one
    #[arg(long, conflicts_with = "capacity")]
    pub(crate) mpmc: bool,

    /// With --mpmc: messages the ring holds, rounded up to a power of two [default: 1024]
    #[arg(long, value_name = "N", requires = "mpmc")]
    pub(crate) slots: Option<usize>,

    /// With --mpmc: what becomes of the message a consumer had been handed when it died [default: redeliver]
    #[arg(long, value_enum, value_name = "THEN", requires = "mpmc")]
    pub(crate) on_consumer_death: Option<ConsumerDeathArg>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConsumerDeathArg {
    /// Another consumer gets it, marked as redelivered
    Redeliver,
    /// Nobody gets it
    Drop,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum WaitArg {
    /// Never sleep: lowest latency, one CPU busy
    Spin,
    /// Spin for a moment, then sleep
    Adaptive,
    /// Sleep at once: least CPU time
    Park,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum PeerLossArg {
    /// Wait for a successor
    Wait,
    /// End with an error once everything sent was received
    Report,
}

/// How messages look on standard input and output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Bytes as they are; message borders are not kept
    Raw,
    /// One message a line, without the newline
    Lines,
    /// One message a line, as hexadecimal digits
    Hex,
    /// One message a line, which must be valid JSON
    Jsonl,
}

#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// The ring
    pub(crate) name: String,

    /// Read from FILE instead of standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,

    /// How the input is cut into messages
    #[arg(long, short, value_enum, default_value_t = Format::Raw)]
    pub(crate) format: Format,

    /// raw: the largest chunk sent as one message [default: 64K, or the ring's largest message]
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub(crate) chunk: Option<usize>,

    /// End after COUNT messages
    #[arg(short = 'n', long = "count", value_name = "COUNT")]
    pub(crate) count: Option<u64>,

    /// Give up when one message finds no space for this long
    #[arg(long, value_name = "DUR", value_parser = duration::parse)]
    pub(crate) timeout: Option<Duration>,

    /// Wait this long for a consumer before sending
    #[arg(long, value_name = "DUR", value_parser = duration::parse)]
    pub(crate) wait_for_peer: Option<Duration>,

    /// Do not mark the end of the stream when the input ends
    #[arg(long)]
    pub(crate) keep_open: bool,

    #[command(flatten)]
    pub(crate) ring: AnyRingArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RecvArgs {
    /// The ring
    pub(crate) name: String,

    /// Write to FILE, made anew, instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// How messages are written
    #[arg(long, short, value_enum, default_value_t = Format::Raw)]
    pub(crate) format: Format,

    /// End after COUNT messages
    #[arg(short = 'n', long = "count", value_name = "COUNT")]
    pub(crate) count: Option<u64>,

    /// Give up when no message comes for this long
    #[arg(long, value_name = "DUR", value_parser = duration::parse)]
    pub(crate) timeout: Option<Duration>,

    #[command(flatten)]
    pub(crate) ring: AnyRingArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// The ring
    pub(crate) name: String,

    /// Succeed if there is a ring of this name already
    #[arg(long)]
    pub(crate) exist_ok: bool,

    #[command(flatten)]
    pub(crate) ring: AnyRingArgs,
}

#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// The ring
    pub(crate) name: String,

    /// First put right what dead participants left, as whoever is blocked does by itself
    #[arg(long)]
    pub(crate) repair: bool,
}

/// Where to look for rings.
#[derive(Debug, Args)]
pub(crate) struct PlacesArgs {
    /// Look in every shared-memory file system and volume mounted here as well (from /proc/self/mountinfo)
    #[arg(long, short)]
    pub(crate) all: bool,
}

#[cfg(feature = "top")]
#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// The rings [default: all of the directory, also those still to come]
    pub(crate) names: Vec<String>,

    /// Time from look to look; + and - change it
    #[arg(long, short, value_name = "SECONDS", default_value = "1", value_parser = duration::parse_interval)]
    pub(crate) interval: Duration,

    #[command(flatten)]
    pub(crate) places: PlacesArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StatArgs {
    /// The rings [default: all of the directory, also those still to come]
    pub(crate) names: Vec<String>,

    /// Time from line to line
    #[arg(long, short, value_name = "SECONDS", default_value = "1", value_parser = duration::parse_interval)]
    pub(crate) interval: Duration,

    /// End after COUNT intervals
    #[arg(long, short = 'n', value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// Begin each line with the time
    #[arg(long, short)]
    pub(crate) timestamp: bool,

    #[command(flatten)]
    pub(crate) places: PlacesArgs,
}

#[derive(Debug, Args)]
pub(crate) struct MetricsArgs {
    /// The rings [default: all of the directory, also those still to come]
    pub(crate) names: Vec<String>,

    /// Serve HTTP at this address (127.0.0.1:9464; port 0: any)
    #[arg(long, value_name = "ADDR", required_unless_present = "once")]
    pub(crate) listen: Option<SocketAddr>,

    /// Print them once, in the OpenMetrics format
    #[arg(long, conflicts_with = "listen")]
    pub(crate) once: bool,

    /// Say nothing of more rings than this
    #[arg(long, value_name = "N", default_value = "1000")]
    pub(crate) max_rings: usize,

    #[command(flatten)]
    pub(crate) places: PlacesArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// The rings
    #[arg(required_unless_present = "stale", conflicts_with = "stale")]
    pub(crate) names: Vec<String>,

    /// Remove every ring of the directory that nobody is attached to, and repair the others
    #[arg(long)]
    pub(crate) stale: bool,

    /// With --stale: in every shared-memory file system and volume mounted here as well
    #[arg(long, short, requires = "stale")]
    pub(crate) all: bool,

    /// Remove a ring although it is in use, or a file that is not a ring of this version
    #[arg(long, conflicts_with = "stale")]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Also look at this ring: is it there, may this user take part, who does
    #[arg(conflicts_with = "with")]
    pub(crate) name: Option<String>,

    /// Capacity of the ring that is to be made here: is there room for it?
    #[arg(long, value_name = "SIZE", value_parser = size::parse, default_value = "1M")]
    pub(crate) size: usize,

    /// Meet the other side, which runs the same command: do both see the same memory?
    #[arg(long, value_name = "NAME")]
    pub(crate) with: Option<String>,

    /// With --with: how long to wait for the other side
    #[arg(long, value_name = "DUR", default_value = "10s", value_parser = duration::parse)]
    pub(crate) timeout: Duration,

    /// Explain why the side that printed this fingerprint sees other memory than this one
    #[arg(long, value_name = "FINGERPRINT", value_parser = Fingerprint::parse)]
    pub(crate) peer_fingerprint: Option<Fingerprint>,

    /// Be the second process of a self-test
    #[arg(long, hide = true, value_enum)]
    pub(crate) helper: Option<Part>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum VerifyCommand {
    /// Send numbered, checksummed messages of random length
    Producer(VerifyProducerArgs),
    /// Receive them and count what is lost, duplicated, reordered or corrupt
    ///
    /// In a ring with many consumers: how many came from each producer, and what was duplicated, reordered, corrupt or
    /// redelivered among them. What is missing here others may have, so nothing is called lost; `messages` of all
    /// reports add up, by `run`, to those of the producers if nobody was killed.
    Consumer(VerifyConsumerArgs),
    /// Compare the journals of both sides after kills and restarts
    ///
    /// To be run when the last consumer has received the end of the stream: what is still in the ring counts as
    /// lost. Exit status 5 if anything is lost, duplicated without being marked as redelivered, reordered or corrupt.
    Account(AccountArgs),
}

#[derive(Debug, Args)]
pub(crate) struct VerifyProducerArgs {
    /// The ring
    pub(crate) name: String,

    /// End after N messages
    #[arg(long, short = 'n', value_name = "N", conflicts_with = "duration")]
    pub(crate) count: Option<u64>,

    /// End after this time
    #[arg(long, value_name = "DUR", value_parser = duration::parse)]
    pub(crate) duration: Option<Duration>,

    /// Shortest payload, beyond the 32 bytes of the header
    #[arg(long, value_name = "SIZE", value_parser = size::parse, default_value = "0")]
    pub(crate) min: usize,

    /// Longest payload, beyond the 32 bytes of the header [default: 1024, or what the ring takes]
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub(crate) max: Option<usize>,

    /// Seed of the random lengths [default: random]
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,

    /// Keep an account in DIR that survives SIGKILL
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) journal: Option<PathBuf>,

    /// Publish up to N messages at once
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) batch: u32,

    /// Send at most N messages a second (1000, 50k/s, 2M/s)
    #[arg(long, value_name = "N/s", value_parser = rate::parse)]
    pub(crate) rate: Option<f64>,

    /// Do not mark the end of the stream at the end
    #[arg(long)]
    pub(crate) keep_open: bool,

    #[command(flatten)]
    pub(crate) ring: AnyRingArgs,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyConsumerArgs {
    /// The ring
    pub(crate) name: String,

    /// End after N messages; if the stream ends before, the rest is lost (or, with many consumers, theirs)
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) count: Option<u64>,

    /// Give up when no message comes for this long
    #[arg(long, value_name = "DUR", value_parser = duration::parse)]
    pub(crate) timeout: Option<Duration>,

    /// Keep an account in DIR that survives SIGKILL, and continue the one that is there
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) journal: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) ring: AnyRingArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AccountArgs {
    /// The directory in which all participants kept their journals
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) journal: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct PingArgs {
    /// The pair of rings: NAME.ping and NAME.pong
    pub(crate) name: String,

    /// Round trips to measure [default: 100000]
    #[arg(long, short = 'n', value_name = "N", conflicts_with = "duration")]
    pub(crate) count: Option<u64>,

    /// Measure for this time instead
    #[arg(long, value_name = "DUR", value_parser = duration::parse)]
    pub(crate) duration: Option<Duration>,

    /// Message size, at least 8 bytes
    #[arg(long, value_name = "BYTES", value_parser = size::parse, default_value = "64")]
    pub(crate) size: usize,

    /// Round trips before the measurement begins
    #[arg(long, value_name = "N", default_value = "1000")]
    pub(crate) warmup: u64,

    /// Give up when the other side does not come, or does not answer, for this long
    #[arg(long, value_name = "DUR", value_parser = duration::parse)]
    pub(crate) timeout: Option<Duration>,

    /// Run on this CPU only
    #[arg(long, value_name = "N")]
    pub(crate) cpu: Option<usize>,

    #[command(flatten)]
    pub(crate) ring: RingArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PongArgs {
    /// The pair of rings: NAME.ping and NAME.pong
    pub(crate) name: String,

    /// Run on this CPU only
    #[arg(long, value_name = "N")]
    pub(crate) cpu: Option<usize>,

    #[command(flatten)]
    pub(crate) ring: RingArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The command, such as `send` or `verify producer` [default: the program's own page]
    pub(crate) command: Vec<String>,
}

fn parse_mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text.strip_prefix("0o").unwrap_or(text), 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err("expected permission bits in octal, from 0 to 0777".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::{Cli, parse_mode};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn modes_are_octal() {
        assert_eq!(parse_mode("0660"), Ok(0o660));
        assert_eq!(parse_mode("666"), Ok(0o666));
        assert_eq!(parse_mode("0o600"), Ok(0o600));
        assert!(parse_mode("888").is_err());
        assert!(parse_mode("01777").is_err());
        assert!(parse_mode("").is_err());
    }
}
