//! The chart of a key's calls.

use crate::keys::calls::{Count, Period};
use crate::texts::Texts;

/// The width of a bar together with the space beside it.
const STEP: i64 = 20;
const TALLEST: i64 = 120;

/// A bar chart of accepted calls, with the refused ones on top. Its numbers are also a table.
pub(super) struct Chart {
    pub(super) width: i64,
    pub(super) height: i64,
    /// The y coordinate of the axis.
    pub(super) base: i64,
    /// The y coordinate of the top of the tallest bar.
    pub(super) top: i64,
    /// The number of calls that the tallest bar stands for.
    pub(super) highest: String,
    pub(super) bar_width: i64,
    pub(super) bars: Vec<Bar>,
    /// All calls in the chart.
    pub(super) accepted: i64,
    pub(super) refused: i64,
}

/// A bar, and its row of the table.
pub(super) struct Bar {
    /// The day or hour.
    pub(super) period: String,
    pub(super) accepted: i64,
    pub(super) refused: i64,
    pub(super) title: String,
    pub(super) x: i64,
    pub(super) accepted_y: i64,
    pub(super) accepted_height: i64,
    pub(super) refused_y: i64,
    pub(super) refused_height: i64,
}

impl Chart {
    /// Draws the chart. Returns `None` if there were no calls.
    pub(super) fn new(counts: &[Count], period: Period, texts: &Texts) -> Option<Self> {
        let calls = counts.iter().map(|count| count.calls);
        let highest = calls.clone().map(|calls| calls.accepted + calls.refused).max().filter(|calls| *calls > 0)?;
        let mut right = 0;
        let bars = counts.iter().map(|count| {
            right += STEP;
            Bar::new(count, period, right - STEP + 2, highest, texts)
        });
        let bars = bars.collect();
        let busiest = match period {
            Period::Hour => texts.key.busiest_hour,
            Period::Day => texts.key.busiest_day,
        };
        Some(Self {
            bars,
            width: right,
            height: TALLEST + 6,
            base: TALLEST + 4,
            top: 3,
            highest: busiest(highest),
            bar_width: STEP - 4,
            accepted: calls.clone().map(|calls| calls.accepted).sum(),
            refused: calls.map(|calls| calls.refused).sum(),
        })
    }
}

impl Bar {
    fn new(count: &Count, period: Period, x: i64, highest: i64, texts: &Texts) -> Self {
        // Every call is visible: even one among thousands has a thin bar.
        let tall = |calls: i64| if calls == 0 { 0 } else { (calls * TALLEST / highest).max(2) };
        let (accepted, refused) = (count.calls.accepted, count.calls.refused);
        let (accepted_height, refused_height) = (tall(accepted), tall(refused));
        let period = match period {
            Period::Hour => count.start.utc_hour(),
            Period::Day => count.start.utc_date(),
        };
        Self {
            title: (texts.key.chart_bar)(&period, accepted, refused),
            period,
            accepted,
            refused,
            x,
            accepted_y: TALLEST + 4 - accepted_height,
            accepted_height,
            refused_y: TALLEST + 4 - accepted_height - refused_height,
            refused_height,
        }
    }
}
