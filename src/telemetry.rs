//! The log on stderr, one line per event: JSON, or text for a terminal. It never contains a secret, token, code, cookie
//! or query.
//!
//! A dedicated thread writes the lines, so that nothing waits for the reader of the log. A line that cannot be written
//! is dropped and counted. No request fails because of a full disk, a closed pipe or a reader that has stopped reading.

use std::fmt::{self, Debug};
use std::io::{self, IsTerminal as _, Write};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

/// The most lines that can wait for the writing thread. Further lines are dropped.
const WAITING_LINES: usize = 8192;
/// At the end of the program, the time limit for the thread to take its last line, and then for it to write that line.
const LAST_LINE: Duration = Duration::from_secs(1);

/// Of the database driver only what is wrong. A cookie of a session that has ended, which any stranger can send, is nothing
/// to warn of.
const DEFAULT_FILTER: &str = "info,sqlx=warn,tower_sessions=error,tower_sessions_core=error";

static LINES_LOST: AtomicU64 = AtomicU64::new(0);

/// The format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Text if stderr is a terminal, otherwise JSON
    Auto,
    /// Lines for people, in colour on a terminal
    Text,
    /// One JSON object per line
    Json,
}

impl LogFormat {
    fn is_text(self, on_terminal: bool) -> bool {
        self == Self::Text || (self == Self::Auto && on_terminal)
    }
}

/// The running log. Dropping it writes the lines that are left.
#[derive(Debug)]
pub(crate) struct Log(Option<Lines>);

/// A message to the writing thread.
#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    /// The last line of the program. The sender is dropped once everything has been written, including this line.
    Last(String, Sender<()>),
}

/// Starts logging. `filter` is written as in `RUST_LOG`. Without one, [`DEFAULT_FILTER`] holds.
pub(crate) fn start(filter: Option<&str>, format: LogFormat) -> Log {
    let filter =
        filter.and_then(|filter| EnvFilter::try_new(filter).ok()).unwrap_or_else(|| EnvFilter::new(DEFAULT_FILTER));
    let (sender, waiting) = bounded(WAITING_LINES);
    let lines = Lines(sender);
    // If the thread cannot be started, every line counts as lost.
    let _ = thread::Builder::new().name("log".to_owned()).spawn(move || write_out(&waiting));
    let writer = lines.clone();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || writer.clone());
    let log = log.log_internal_errors(false);
    let on_terminal = io::stderr().is_terminal();
    if format.is_text(on_terminal) {
        let text = log.fmt_fields(debug_fn(write_field).delimited(" "));
        // On a terminal, the formatter decides about colours, because it honours NO_COLOR.
        if on_terminal { text.init() } else { text.with_ansi(false).init() }
    } else {
        log.json().flatten_event(true).with_span_list(false).init();
    }
    std::panic::set_hook(Box::new(log_panic));
    Log(Some(lines))
}

/// Writes a field as text. Control characters are escaped, so that no value can forge a log line or control a terminal.
fn write_field(line: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    if field.name() != "message" {
        write!(line, "{field}=")?;
    }
    for c in format!("{value:?}").chars() {
        if c.is_control() { write!(line, "{}", c.escape_default())? } else { line.write_char(c)? }
    }
    Ok(())
}

/// The number of log lines that were lost.
pub(crate) fn lines_lost() -> u64 {
    LINES_LOST.load(Ordering::Relaxed)
}

/// Logs a panic with its message, which no client sees. The default panic hook would wait for stderr.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("without a message");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(panic = message, place, "a task panicked");
}

/// Writes the waiting lines one by one, up to the last line of the program.
fn write_out(waiting: &Receiver<Message>) {
    for message in waiting {
        match message {
            Message::Line(line) => {
                if io::stderr().write_all(&line).is_err() {
                    LINES_LOST.fetch_add(1, Ordering::Relaxed);
                }
            }
            Message::Last(line, _done) => {
                let _ = io::stderr().write_all(line.as_bytes());
                return;
            }
        }
    }
}

impl Log {
    /// Writes the lines that are left, followed by `last`, which says how the program ended. Gives up after a time
    /// limit, because the reader may have stopped reading.
    pub(crate) fn finish(mut self, last: &str) {
        self.end(format!("{last}\n"));
    }

    fn end(&mut self, last: String) {
        let Some(Lines(lines)) = self.0.take() else { return };
        let (done, written) = bounded(0);
        if lines.send_timeout(Message::Last(last, done), LAST_LINE).is_ok() {
            // Returns with an error as soon as the thread drops its end of the channel.
            let _ = written.recv_timeout(LAST_LINE);
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.end(String::new());
    }
}

/// A writer that passes each line to the thread if there is room, and drops it otherwise.
#[derive(Clone, Debug)]
struct Lines(Sender<Message>);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.0.try_send(Message::Line(line.to_vec())).is_err() {
            LINES_LOST.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_forges_a_line_of_text() {
        let (sender, written) = bounded(1);
        let lines = Lines(sender);
        let text = tracing_subscriber::fmt().fmt_fields(debug_fn(write_field).delimited(" ")).with_ansi(false);
        let text = text.with_writer(move || lines.clone()).finish();
        tracing::subscriber::with_default(text, || tracing::info!(cause = %"a\nb\u{1b}[2J", n = 5, "c\r\nd"));
        let Ok(Message::Line(line)) = written.try_recv() else { panic!("nothing was written") };
        let line = String::from_utf8(line).unwrap();
        assert!(line.ends_with(": c\\r\\nd cause=a\\nb\\u{1b}[2J n=5\n"), "{line:?}");
    }
}
