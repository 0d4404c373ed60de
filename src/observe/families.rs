//! Metric families with a fixed number of labels, registered under the project's prefix.

use prometheus::core::Collector;
use prometheus::{
    Error, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// Counters under a fixed number of labels, so that a forgotten label does not compile.
pub(super) struct Counters<const LABELS: usize>(IntCounterVec);

impl<const LABELS: usize> Counters<LABELS> {
    pub(super) fn new(registry: &Registry, name: &str, help: &str, labels: [&str; LABELS]) -> Result<Self, Error> {
        Ok(Self(registered(registry, IntCounterVec::new(options(name, help), &labels)?)?))
    }

    pub(super) fn with(&self, values: [&str; LABELS]) -> IntCounter {
        self.0.with_label_values(&values)
    }
}

/// Histograms of seconds under one label.
pub(super) struct Seconds(HistogramVec);

impl Seconds {
    pub(super) fn new(
        registry: &Registry,
        name: &str,
        help: &str,
        label: &str,
        buckets: &[f64],
    ) -> Result<Self, Error> {
        let options = HistogramOpts { common_opts: options(name, help), buckets: buckets.to_vec() };
        Ok(Self(registered(registry, HistogramVec::new(options, &[label])?)?))
    }

    pub(super) fn with(&self, value: &str) -> Histogram {
        self.0.with_label_values(&[value])
    }
}

/// Gauges under one label.
pub(super) struct Gauges(IntGaugeVec);

impl Gauges {
    pub(super) fn new(registry: &Registry, name: &str, help: &str, label: &str) -> Result<Self, Error> {
        Ok(Self(registered(registry, IntGaugeVec::new(options(name, help), &[label])?)?))
    }

    /// Shows these values and no others; values of one name add up.
    pub(super) fn replace<'a>(&self, values: impl IntoIterator<Item = (&'a str, i64)>) {
        self.0.reset();
        values.into_iter().for_each(|(name, value)| self.0.with_label_values(&[name]).add(value));
    }
}

pub(super) fn counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter, Error> {
    registered(registry, IntCounter::with_opts(options(name, help))?)
}

pub(super) fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, Error> {
    registered(registry, IntGauge::with_opts(options(name, help))?)
}

fn options(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("backstay")
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, family: C) -> Result<C, Error> {
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}
