//! Extracts audit events from the `tracing` events.

use std::fmt;

use serde_json::Value;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    Layer,
    filter::{FilterFn, Filtered, filter_fn},
    layer::Context,
    registry::LookupSpan,
};

use super::{
    AUDIT_TARGET, CURRENT,
    line::{AuditLine, Severity},
};
use crate::clock::Clock;

/// The span field with the request id.
const REQUEST_ID: &str = "request_id";

pub struct AuditLayer(());

type AuditFilter = FilterFn<fn(&Metadata<'_>) -> bool>;

impl AuditLayer {
    /// Receives audit events whatever `log.level` filters.
    pub fn filtered<S>() -> Filtered<Self, AuditFilter, S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        Self(()).with_filter(filter_fn(is_audit_or_request_span as fn(&Metadata<'_>) -> bool))
    }
}

fn is_audit_or_request_span(metadata: &Metadata<'_>) -> bool {
    metadata.target() == AUDIT_TARGET || (metadata.is_span() && metadata.fields().field(REQUEST_ID).is_some())
}

struct SpanRequestId(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for AuditLayer {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let mut fields = EventFields::default();
        attributes.record(&mut fields);
        let id_of_request = fields.0.into_iter().find(|(name, _)| *name == REQUEST_ID);
        if let (Some(span), Some((_, Value::String(request_id)))) = (context.span(id), id_of_request) {
            span.extensions_mut().insert(SpanRequestId(request_id));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let log = CURRENT.load();
        let Some(log) = &*log else { return };
        let mut fields = EventFields::default();
        event.record(&mut fields);
        let request_id = context.event_scope(event).and_then(|mut scope| {
            scope.find_map(|span| span.extensions().get::<SpanRequestId>().map(|id| id.0.clone()))
        });
        log.0.write(Box::new(AuditLine {
            time: Clock::system().now(),
            severity: severity(*event.metadata().level()),
            fields: fields.0,
            request_id,
        }));
    }
}

fn severity(level: Level) -> Severity {
    match level {
        Level::ERROR => Severity::Error,
        Level::WARN => Severity::Warning,
        Level::INFO => Severity::Informational,
        Level::DEBUG | Level::TRACE => Severity::Debug,
    }
}

#[derive(Default)]
struct EventFields(Vec<(&'static str, Value)>);

impl EventFields {
    fn push(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.push((field.name(), value.into()));
    }
}

impl Visit for EventFields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, format!("{value:?}"));
    }
}
