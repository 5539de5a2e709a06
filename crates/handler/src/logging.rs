//! Writes the log to standard output: one line per event, as JSON unless `AWS_LAMBDA_LOG_FORMAT` is `Text`.
//!
//! A line has `timestamp` (RFC 3339) and `level`, by which Lambda filters it (Lambda developer guide, "Log-level
//! filtering"; without a valid timestamp, every line counts as INFO), then `message`, other fields and the `requestId` of the
//! invocation. All are at the top level, so that CloudWatch Logs Insights finds them without a path.
//!
//! The formatter of tracing-subscriber is not used, because it puts the request ID into a nested `span` and needs a crate
//! for the time.

use std::{
    fmt, io, mem,
    os::fd::AsFd,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use aws_smithy_types::{DateTime, date_time};
use contract::{LogLevel, variable::LOG_LEVEL};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use serde::{Serializer as _, ser::SerializeMap as _};
use serde_json::{Value, json};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};
use tracing_subscriber::{
    Layer, Registry,
    filter::Targets,
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use crate::panics;

/// Starts the log. With an invalid `LOG_LEVEL`, which the configuration reports, it uses the default.
pub(crate) fn start(lookup: impl Fn(&str) -> Option<String>) {
    let format = match lookup("AWS_LAMBDA_LOG_FORMAT") {
        Some(format) if format.eq_ignore_ascii_case("text") => Format::Text,
        _ => Format::Json,
    };
    Registry::default()
        .with(filter(level(lookup)))
        .with(Lines(format))
        .init();
    panics::log_panics();
}

/// Writes a line, including its newline, at any log level. Nothing else writes to standard output.
///
/// If the pipe stays full, the line is lost, so that it does not delay an invocation past its deadline. The number of lost
/// lines is logged as soon as there is room.
pub(crate) fn write(line: &[u8]) {
    let lost = {
        let mut output = OUTPUT.lock().unwrap_or_else(PoisonError::into_inner);
        if !output.write(&io::stdout(), line) {
            output.lost += 1;
            return;
        }
        mem::take(&mut output.lost)
    };
    if lost > 0 {
        tracing::warn!(
            lines = lost,
            "log lines were lost because standard output was full"
        );
    }
}

/// Resets the time that log lines may wait for room.
pub(crate) fn start_invocation() {
    let mut output = OUTPUT.lock().unwrap_or_else(PoisonError::into_inner);
    output.waited = Duration::ZERO;
}

static OUTPUT: Mutex<Output> = Mutex::new(Output::new());

struct Output {
    /// How long the lines of this invocation have waited for room.
    waited: Duration,
    /// The number of lines lost since the last written one.
    lost: u64,
    /// Set if the last line was written only in part.
    torn: bool,
}

impl Output {
    /// How long the lines of an invocation may wait for room in total. A reader makes room within microseconds, and even with
    /// Lambda's shortest timeout of a second, an invocation reserves twice as much time ([`deadline`](crate::deadline)).
    const MAX_WAIT: Duration = Duration::from_millis(50);
    /// A pipe that is ready has room for this many bytes (`pipe(7)`, `PIPE_BUF`).
    const PIPE_BUF: usize = 4_096;

    const fn new() -> Self {
        Self {
            waited: Duration::ZERO,
            lost: 0,
            torn: false,
        }
    }

    /// Writes a line and returns true if all of it was written.
    fn write(&mut self, to: &impl AsFd, line: &[u8]) -> bool {
        if self.torn {
            self.torn = self.write_part(to, b"\n") != 1;
        }
        let written = if self.torn {
            0
        } else {
            self.write_part(to, line)
        };
        self.torn |= written != 0 && written < line.len();
        written == line.len()
    }

    /// Writes what there is room for and returns the number of bytes.
    fn write_part(&mut self, to: &impl AsFd, bytes: &[u8]) -> usize {
        let mut written = 0;
        while written < bytes.len() && self.has_room(to) {
            let end = bytes.len().min(written + Self::PIPE_BUF);
            match rustix::io::write(to, &bytes[written..end]) {
                Ok(count) => written += count,
                Err(Errno::INTR) => {}
                // An error of the log cannot be logged.
                Err(_) => break,
            }
        }
        written
    }

    /// Waits for room while the invocation has time for it.
    fn has_room(&mut self, to: &impl AsFd) -> bool {
        let started = Instant::now();
        let left = Self::MAX_WAIT.saturating_sub(self.waited);
        let timeout = Timespec {
            tv_sec: 0,
            tv_nsec: left.subsec_nanos().into(),
        };
        let ready = poll(&mut [PollFd::new(to, PollFlags::OUT)], Some(&timeout));
        self.waited += started.elapsed();
        ready.is_ok_and(|ready| ready > 0)
    }
}

/// The log level: Lambda's own setting takes precedence over the stage's. Its `FATAL` counts as `error`.
fn level(lookup: impl Fn(&str) -> Option<String>) -> LogLevel {
    let parse = |text: String| match text.as_str() {
        "FATAL" => Some(LogLevel::Error),
        text => text.parse().ok(),
    };
    lookup("AWS_LAMBDA_LOG_LEVEL")
        .and_then(parse)
        .or_else(|| lookup(LOG_LEVEL).and_then(parse))
        .unwrap_or_default()
}

/// Applies `level` to this project's crates. Other crates log at most at `warn`, unless `level` is more verbose than `info`.
fn filter(level: LogLevel) -> Targets {
    let (ours, others) = match level {
        LogLevel::Trace => (LevelFilter::TRACE, LevelFilter::TRACE),
        LogLevel::Debug => (LevelFilter::DEBUG, LevelFilter::DEBUG),
        LogLevel::Info => (LevelFilter::INFO, LevelFilter::WARN),
        LogLevel::Warn => (LevelFilter::WARN, LevelFilter::WARN),
        LogLevel::Error => (LevelFilter::ERROR, LevelFilter::ERROR),
    };
    Targets::new()
        .with_default(others)
        .with_target("handler", ours)
        .with_target("cross_account", ours)
        // Its only span, at INFO, has the request ID, which every line needs at any level.
        .with_target("lambda_runtime::layers::trace", ours.max(LevelFilter::INFO))
        // With `LOG_SENSITIVE_BODIES`, it prints whole responses, including the secrets in that of AssumeRole.
        .with_target(
            "aws_smithy_runtime::client::orchestrator::http",
            LevelFilter::OFF,
        )
        // It logs every failure again, as Debug text.
        .with_target("lambda_runtime::layers::panic", LevelFilter::OFF)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Text,
}

/// Writes each event as a line.
struct Lines(Format);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: Context<'_, S>,
    ) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.add_missing(outer);
            }
        }
        let now = SystemTime::now();
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        let line = match self.0 {
            Format::Json => json_line(now, level, target, &fields),
            Format::Text => text_line(now, level, target, &fields),
        };
        write(&line);
    }
}

/// The fields of an event or a span, in order.
#[derive(Debug, Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    /// Adds the fields of an outer span that this one does not have.
    fn add_missing(&mut self, outer: &Self) {
        for (name, value) in &outer.0 {
            if !self.has(name) {
                self.0.push((name, value.clone()));
            }
        }
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| *known == name)
    }

    fn add(&mut self, field: &Field, value: Value) {
        self.0.push((field.name(), value));
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, json!(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, json!(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, json!(format!("{value:?}")));
    }
}

fn json_line(now: SystemTime, level: Level, target: &str, fields: &Fields) -> Vec<u8> {
    let mut line = Vec::with_capacity(512);
    // Cannot fail: the keys are strings, and the target is memory.
    let _ = (|| {
        let mut serializer = serde_json::Serializer::new(&mut line);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timestamp", &timestamp(now))?;
        map.serialize_entry("level", level.as_str())?;
        // The SDK has events that only have fields.
        if !fields.has("message") {
            map.serialize_entry("message", "")?;
        }
        for (name, value) in &fields.0 {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("target", target)?;
        map.end()
    })();
    line.push(b'\n');
    line
}

fn text_line(now: SystemTime, level: Level, target: &str, fields: &Fields) -> Vec<u8> {
    let mut line = format!("{} {level} {target}:", timestamp(now));
    for (name, value) in &fields.0 {
        line.push(' ');
        // The message is quoted like the other fields, so it cannot imitate one.
        if *name != "message" {
            line.extend([name, "="]);
        }
        line += &value.to_string();
    }
    line.push('\n');
    line.into_bytes()
}

/// RFC 3339, in milliseconds.
fn timestamp(now: SystemTime) -> String {
    let since = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let milliseconds = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    DateTime::from_millis(milliseconds)
        .fmt(date_time::Format::DateTime)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn fields() -> Fields {
        Fields(vec![
            ("message", json!("two\nlines")),
            ("account", json!("022222222222")),
            ("listMs", json!(1.5)),
        ])
    }

    fn moment() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123)
    }

    #[test]
    fn a_line_of_json() {
        let line = json_line(moment(), Level::INFO, "handler", &fields());
        assert_eq!(
            String::from_utf8(line).unwrap(),
            "{\"timestamp\":\"2023-11-14T22:13:20.123Z\",\"level\":\"INFO\",\"message\":\"two\\nlines\",\
             \"account\":\"022222222222\",\"listMs\":1.5,\"target\":\"handler\"}\n"
        );
    }

    #[test]
    fn a_line_of_text() {
        let line = text_line(moment(), Level::WARN, "handler", &fields());
        assert_eq!(
            String::from_utf8(line).unwrap(),
            "2023-11-14T22:13:20.123Z WARN handler: \"two\\nlines\" account=\"022222222222\" listMs=1.5\n"
        );
    }

    #[test]
    fn no_message_forges_a_field() {
        let forged = "listed account=\"999999999999\" \"\n2023-11-14T22:13:20.123Z ERROR x: y";
        let fields = Fields(vec![
            ("message", json!(forged)),
            ("account", json!("1\" a=\"2")),
        ]);
        let line = String::from_utf8(text_line(moment(), Level::INFO, "handler", &fields)).unwrap();
        assert_eq!(
            line,
            "2023-11-14T22:13:20.123Z INFO handler: \"listed account=\\\"999999999999\\\" \\\"\\n2023-11-14T22:13:20.123Z \
             ERROR x: y\" account=\"1\\\" a=\\\"2\"\n"
        );
    }

    #[test]
    fn a_full_pipe_blocks_no_invocation_and_leaves_whole_lines() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut output = Output::new();
        let line = [b"x".repeat(9_999), b"\n".to_vec()].concat();
        let started = Instant::now();
        let kept = (0..100).filter(|_| output.write(&writer, &line)).count();
        assert!((1..100).contains(&kept), "{kept}");
        assert!(started.elapsed() < Duration::from_secs(5));
        assert!(output.torn);

        // With room again, the incomplete line is ended and the next line is whole.
        let mut half = vec![0; 20_000];
        reader.read_exact(&mut half).unwrap();
        assert!(output.write(&writer, b"next\n"));
        drop(writer);
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert!(
            rest.ends_with("x\nnext\n"),
            "{:?}",
            &rest[rest.len() - 20..]
        );
    }

    #[test]
    fn lambdas_level_wins() {
        let level = |lambda: Option<&str>, stage: Option<&str>| {
            level(|name| {
                match name {
                    "AWS_LAMBDA_LOG_LEVEL" => lambda,
                    _ => stage,
                }
                .map(str::to_owned)
            })
        };
        assert_eq!(level(None, None), LogLevel::Info);
        assert_eq!(level(None, Some("debug")), LogLevel::Debug);
        assert_eq!(level(Some("WARN"), Some("debug")), LogLevel::Warn);
        assert_eq!(level(Some("FATAL"), None), LogLevel::Error);
        assert_eq!(level(Some("loud"), Some("warn")), LogLevel::Warn);
    }

    #[test]
    fn the_inner_span_wins() {
        let mut inner = Fields(vec![("requestId", json!("1"))]);
        inner.add_missing(&Fields(vec![("requestId", json!("2")), ("a", json!(1))]));
        assert_eq!(inner.0, [("requestId", json!("1")), ("a", json!(1))]);
    }
}
