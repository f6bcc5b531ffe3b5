//! Time as milliseconds since the Unix epoch; on the wire and in records RFC 3339, UTC, exactly three decimals.

use core::{fmt, ops::Add, str::FromStr};

use jiff::{civil::DateTime, tz::Offset};
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z. Always an argument: nothing in this crate reads a clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMillis(pub i64);

/// A length of time in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// `seconds` as milliseconds.
    pub const fn seconds(seconds: i64) -> Self {
        Self(seconds * 1000)
    }

    /// `hours` as milliseconds.
    pub const fn hours(hours: i64) -> Self {
        Self::seconds(hours * 3600)
    }
}

/// The text is not a time of the form `2026-11-22T13:26:48.123Z`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a time like 2026-11-22T13:26:48.123Z")]
pub struct InvalidTime;

impl UnixMillis {
    /// How long after `earlier` this is; negative when it is before.
    pub const fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Millis> for UnixMillis {
    type Output = Self;

    fn add(self, by: Millis) -> Self {
        Self(self.0.saturating_add(by.0))
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Times outside the years that RFC 3339 can write cannot be parsed into one of these either.
        let time = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        write!(f, "{time:.3}")
    }
}

impl fmt::Debug for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for UnixMillis {
    type Err = InvalidTime;

    /// Only the one spelling is read, so that a body has one canonical form.
    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        match plain(text) {
            Some(time) => Ok(time),
            None => in_general(text),
        }
    }
}

/// A time of four-digit years, field by field: whoever reads a journal reads one for every entry. `None` is for [`in_general`] to
/// judge.
fn plain(text: &str) -> Option<UnixMillis> {
    let bytes: &[u8; 24] = text.as_bytes().try_into().ok()?;
    let marks = [
        (4, b'-'),
        (7, b'-'),
        (10, b'T'),
        (13, b':'),
        (16, b':'),
        (19, b'.'),
        (23, b'Z'),
    ];
    if marks.iter().any(|(at, mark)| bytes[*at] != *mark) {
        return None;
    }
    let digits = |from: usize, to: usize| -> Option<i16> {
        bytes[from..to].iter().try_fold(0, |number, digit| {
            let digit = digit.is_ascii_digit().then(|| i16::from(digit - b'0'))?;
            Some(number * 10 + digit)
        })
    };
    let pair = |from: usize| i8::try_from(digits(from, from + 2)?).ok();
    let year = digits(0, 4).filter(|year| *year >= 1_000)?;
    let nanoseconds = i32::from(digits(20, 23)?) * 1_000_000;
    let time = DateTime::new(
        year,
        pair(5)?,
        pair(8)?,
        pair(11)?,
        pair(14)?,
        pair(17)?,
        nanoseconds,
    );
    let time = Offset::UTC.to_timestamp(time.ok()?).ok()?;
    Some(UnixMillis(time.as_millisecond()))
}

/// Any time, in its one spelling.
fn in_general(text: &str) -> Result<UnixMillis, InvalidTime> {
    let time: jiff::Timestamp = text.parse().map_err(|_| InvalidTime)?;
    let millis = UnixMillis(time.as_millisecond());
    if millis.to_string() == text {
        Ok(millis)
    } else {
        Err(InvalidTime)
    }
}

impl Serialize for UnixMillis {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UnixMillis {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(crate::text::FromText::new())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_time_is_written_and_read_in_one_spelling() {
        let time = UnixMillis(1_795_354_008_120);
        assert_eq!(time.to_string(), "2026-11-22T13:26:48.120Z");
        assert_eq!("2026-11-22T13:26:48.120Z".parse(), Ok(time));
        for other in [
            "2026-11-22T13:26:48Z",
            "2026-11-22T13:26:48.12Z",
            "2026-11-22T14:26:48.120+01:00",
            "2026-11-22 13:26:48.120Z",
            "2026-11-22T13:26:60.120Z",
        ] {
            assert_eq!(
                other.parse::<UnixMillis>(),
                Err(InvalidTime),
                "{other} is another spelling"
            );
        }
    }

    proptest! {
        #[test]
        fn a_time_read_field_by_field_is_the_one_that_a_calendar_reads(
            // From the year 1000 to 9999.
            at in -30_610_224_000_000_i64..253_402_207_200_000,
            changes in prop::collection::vec((0..24_usize, prop::sample::select(&b"0123456789-:.TtZz "[..])), 0..3),
        ) {
            let time = UnixMillis(at);
            let mut text = time.to_string();
            prop_assert_eq!(plain(&text), Some(time));
            for (place, byte) in changes {
                text.replace_range(place..=place, &char::from(byte).to_string());
            }
            if let Some(time) = plain(&text) {
                prop_assert_eq!(in_general(&text), Ok(time));
            }
            prop_assert_eq!(text.parse(), in_general(&text));
        }
    }
}
