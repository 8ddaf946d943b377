//! Log lines on stdout, and the levels that decide which.

use ottla_broker::LogLevels;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt, registry, reload};

/// openraft tells too much of what is going well.
const DEFAULT_LEVELS: &str = "info,openraft=error,sled=warn";

/// Writes log lines to stdout from here on: those that `RUST_LOG` lets through, until the returned
/// levels are changed.
pub(super) fn to_stdout() -> LogLevels {
    let wanted = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let (levels, filter) = match EnvFilter::try_new(&wanted) {
        Ok(filter) if !wanted.is_empty() => (wanted, filter),
        _ => (DEFAULT_LEVELS.to_owned(), EnvFilter::new(DEFAULT_LEVELS)),
    };
    let (filter, handle) = reload::Layer::new(filter);
    let lines = fmt::layer().with_ansi(may_have_colors()).with_target(false);
    registry().with(filter).with(lines).init();
    LogLevels::new(&levels, move |directives| {
        let filter = EnvFilter::try_new(directives).map_err(|error| error.to_string())?;
        handle.reload(filter).map_err(|error| error.to_string())
    })
}

/// Whether stdout shows colours and nobody has forbidden them (`NO_COLOR`, a terminal without).
fn may_have_colors() -> bool {
    let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !forbidden && !dumb && std::io::IsTerminal::is_terminal(&std::io::stdout())
}
