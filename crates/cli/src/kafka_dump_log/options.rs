//! Which options there are.

use crate::exceptions::Failure;
use crate::jopt::{Argument, Given, Opt, flag, value};

const STRING_DECODER: &str = "org.apache.kafka.tools.api.StringDecoder";

const fn decoder(name: &'static str, help: &'static str) -> Opt {
    Opt { name, argument: Argument::Optional("String"), help }
}

pub(crate) const OPTIONS: &[Opt] = &[
    flag("cluster-metadata-decoder", "Records are those of Apache Kafka's controllers."),
    flag("deep-iteration", "Look into the batches; --print-data-log does so too."),
    value("files", "String: file1, file2, …", "REQUIRED: what to print, separated by commas."),
    flag("help", "Print this."),
    flag("index-sanity-check", "Only look whether an index would be rebuilt at a start."),
    decoder(
        "key-decoder-class",
        "How keys are printed: StringDecoder, LongDecoder, IntegerDecoder.",
    ),
    value("max-bytes", "Integer: size", "How much of a .log is read. (default: 2147483647)"),
    value("max-message-size", "Integer: size", "Size of the largest batch. (default: 5242880)"),
    flag("offsets-decoder", "Records are those of __consumer_offsets."),
    flag("print-data-log", "Print the records; any decoder does so too."),
    flag("remote-log-metadata-decoder", "Accepted; nothing is tiered here."),
    flag("share-group-state-decoder", "Records are those of __share_group_state."),
    flag("skip-record-metadata", "Of records print only key and value."),
    flag("transaction-log-decoder", "Records are those of __transaction_state."),
    decoder("value-decoder-class", "How values are printed, as for keys."),
    flag("verify-index-only", "Compare an index with its .log and print only what differs."),
    flag("version", "Print the version."),
];

/// How bytes are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    Text,
    Long,
    Integer,
    Hex,
}

/// What records are taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decoder {
    Groups,
    Transactions,
    ShareState,
    ClusterMetadata,
    RemoteLogMetadata,
    Plain { key: Plain, value: Plain },
}

/// How a `.log` is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LogOptions {
    pub(super) print: bool,
    pub(super) deep: bool,
    pub(super) skip_metadata: bool,
    pub(super) max_bytes: u64,
    pub(super) decoder: Decoder,
}

const DECODERS: [&str; 7] = [
    "offsets-decoder",
    "transaction-log-decoder",
    "cluster-metadata-decoder",
    "remote-log-metadata-decoder",
    "value-decoder-class",
    "key-decoder-class",
    "share-group-state-decoder",
];

impl LogOptions {
    /// Read only when the first log is to be printed, as by Kafka's tool.
    pub(super) fn read(given: &Given) -> Result<Self, Failure> {
        let print = given.has("print-data-log") || DECODERS.iter().any(|name| given.has(name));
        let decoder = decoder_of(given)?;
        let max_bytes: i32 = given.number("max-bytes")?.unwrap_or(i32::MAX);
        Ok(Self {
            print,
            deep: print || given.has("deep-iteration"),
            skip_metadata: given.has("skip-record-metadata"),
            max_bytes: u64::try_from(max_bytes).unwrap_or(0),
            decoder,
        })
    }

    /// Whether the whole file is read.
    pub(super) fn is_whole(&self) -> bool {
        self.max_bytes == i32::MAX as u64
    }
}

fn decoder_of(given: &Given) -> Result<Decoder, Failure> {
    for (name, decoder) in [
        ("offsets-decoder", Decoder::Groups),
        ("transaction-log-decoder", Decoder::Transactions),
        ("cluster-metadata-decoder", Decoder::ClusterMetadata),
        ("remote-log-metadata-decoder", Decoder::RemoteLogMetadata),
        ("share-group-state-decoder", Decoder::ShareState),
    ] {
        if given.has(name) {
            return Ok(decoder);
        }
    }
    let key = plain(given.one("key-decoder-class")?.unwrap_or(STRING_DECODER))?;
    let value = plain(given.one("value-decoder-class")?.unwrap_or(STRING_DECODER))?;
    Ok(Decoder::Plain { key, value })
}

/// Kafka's own decoders by their class.
fn plain(class: &str) -> Result<Plain, Failure> {
    match class.rsplit('.').next().unwrap_or_default() {
        "StringDecoder" => Ok(Plain::Text),
        "LongDecoder" => Ok(Plain::Long),
        "IntegerDecoder" => Ok(Plain::Integer),
        "DefaultDecoder" => Ok(Plain::Hex),
        _ => {
            let message = "Failed to load decoder class";
            Err(Failure::new("java.lang.RuntimeException", message))
        }
    }
}
