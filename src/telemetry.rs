//! Logs: to standard error, as text or JSON, never with an article's text in them.

use std::cell::RefCell;
use std::str::FromStr;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(value: &str) -> Result<Self, String> {
        match value {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("text or json".to_owned()),
        }
    }
}

/// A level (`info`) or `target=level` directives, comma-separated.
pub fn filter(directives: &str) -> Result<Targets, ParseError> {
    directives.parse()
}

/// Installs the subscriber; a second call changes nothing.
pub fn start(format: LogFormat, filter: Targets) {
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_timer(SystemTime)
        .with_target(false);
    let registry = tracing_subscriber::registry();
    // Only an earlier subscriber can make this fail, and then there is one.
    let _ = match format {
        LogFormat::Text => {
            let layer = layer.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
            registry.with(layer.with_filter(filter)).try_init()
        }
        LogFormat::Json => registry.with(layer.json().flatten_event(true).with_filter(filter)).try_init(),
    };
}

thread_local! {
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on a panic leaves its place in the source and nothing else: messages of the standard library
/// quote the string that was sliced, which may be an article's.
pub fn keep_panics_quiet() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, thread = std::thread::current().name(), "panicked");
        LAST_PANIC.with(|last| *last.borrow_mut() = place);
    }));
}

/// Where this thread panicked last, when [`keep_panics_quiet`] is in force.
pub fn take_last_panic() -> Option<String> {
    LAST_PANIC.with(|last| last.borrow_mut().take())
}
