//! Durations as they are written in an option: `"1h30m"`.

const WEEK: u64 = 7 * DAY;
const DAY: u64 = 24 * HOUR;
const HOUR: u64 = 60 * MINUTE;
const MINUTE: u64 = 60 * SECOND;
const SECOND: u64 = 1000;

/// Why a text is no duration.
#[derive(Debug, PartialEq)]
pub(crate) enum Problem {
    Malformed,
    TooLong,
}

/// The milliseconds that a text such as `1h30m` stands for.
pub(crate) fn parse(text: &str) -> Result<u64, Problem> {
    let mut millis = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = split_at_first(rest, |c| !c.is_ascii_digit());
        let (unit, after) = split_at_first(after, |c| c.is_ascii_digit());
        let unit = millis_of(unit).ok_or(Problem::Malformed)?;
        if number.is_empty() {
            return Err(Problem::Malformed);
        }
        let number: u64 = number.parse().map_err(|_| Problem::TooLong)?;
        millis = number
            .checked_mul(unit)
            .and_then(|part| millis.checked_add(part))
            .ok_or(Problem::TooLong)?;
        rest = after;
    }
    if text.is_empty() {
        return Err(Problem::Malformed);
    }
    Ok(millis)
}

/// The milliseconds of a number of whole seconds.
pub(crate) fn from_secs(secs: u64) -> Result<u64, Problem> {
    secs.checked_mul(SECOND).ok_or(Problem::TooLong)
}

fn millis_of(unit: &str) -> Option<u64> {
    Some(match unit {
        "w" => WEEK,
        "d" => DAY,
        "h" => HOUR,
        "m" => MINUTE,
        "s" => SECOND,
        "ms" => 1,
        _ => return None,
    })
}

fn split_at_first(text: &str, is_end: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(is_end).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_and_their_sum() {
        for (text, millis) in [
            ("500ms", 500),
            ("90s", 90_000),
            ("5m", 300_000),
            ("6h", 21_600_000),
            ("2d", 172_800_000),
            ("1w", 604_800_000),
            ("1h30m", 5_400_000),
            ("1w2d3h4m5s6ms", 788_645_006),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(millis), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "", " ", "5", "s", "5 s", "1.5h", "-1s", "+1s", "5S", "1h30", "h1", "1y", "٣s",
        ] {
            assert_eq!(parse(text), Err(Problem::Malformed), "{text:?}");
        }
    }

    #[test]
    fn too_long_is_not_wrapped_around() {
        for text in [
            "18446744073709551615s",
            "18446744073709551616ms",
            "18446744073709551615ms1ms",
        ] {
            assert_eq!(parse(text), Err(Problem::TooLong), "{text}");
        }
        assert_eq!(from_secs(u64::MAX), Err(Problem::TooLong));
        assert_eq!(from_secs(3600), Ok(3_600_000));
    }
}
