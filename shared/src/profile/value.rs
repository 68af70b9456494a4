//! The types of values, and how each is parsed, with the messages and the leniency of Django REST Framework's fields.

use jiff::civil::{Date, ISOWeekDate, Weekday};
use serde_json::Value;

use super::Scalar;
use crate::{
    http::{Complaint, Entered, Typed},
    text::{decimal_value, trim},
};

/// Maximum length of a text that is read as an integer, as in Django REST Framework.
const MAX_NUMBER_LENGTH: usize = 1000;

/// The kind of a field's value.
#[derive(Clone)]
pub(super) enum Kind {
    Text { max: usize },
    Bool,
    Integer { min: i64, max: i64 },
    Date,
    Choice(Vec<String>),
}

/// A JSON value, as if it had been entered in a body.
pub(super) fn entered(value: &Value) -> Entered {
    match value {
        Value::Null => Entered::Null,
        Value::String(text) => Entered::Text(text.clone().into()),
        Value::Bool(_) | Value::Number(_) => Entered::Scalar(value.to_string().into()),
        Value::Array(_) | Value::Object(_) => Entered::Other(value.to_string().into()),
    }
}

/// A declared default, if it is a valid value of the field.
pub(super) fn default(kind: &Kind, declared: &Value) -> Option<Scalar> {
    let fits = match kind {
        Kind::Text { .. } | Kind::Date | Kind::Choice(_) => declared.is_string(),
        Kind::Bool => declared.is_boolean(),
        Kind::Integer { .. } => declared.is_i64(),
    };
    kind.read(&entered(declared), true).ok().filter(|_| fits)
}

impl Kind {
    /// The parsed value, or the complaints about it.
    pub(super) fn read(&self, entered: &Entered, may_be_blank: bool) -> Result<Scalar, Vec<Complaint>> {
        let wrong = |complaint: &'static str| Err(vec![Complaint::from(complaint)]);
        match self {
            Self::Text { max } => text(entered, *max, may_be_blank).map(Scalar::Text),
            Self::Bool => truth(entered).map_or_else(|| wrong("Must be a valid boolean."), |truth| Ok(Scalar::Truth(truth))),
            Self::Integer { min, max } => integer(entered, *min, *max).map(Scalar::Number).map_err(|complaint| vec![complaint]),
            Self::Date => match date(entered) {
                Some(date) => Ok(Scalar::Text(date.to_string())),
                None => wrong("Date has wrong format. Use one of these formats instead: YYYY-MM-DD."),
            },
            Self::Choice(of) => {
                let chosen = shown(entered);
                if of.contains(&chosen) { Ok(Scalar::Text(chosen)) } else { Err(vec![Complaint::NoChoice(Typed(chosen))]) }
            }
        }
    }
}

fn text(entered: &Entered, max: usize, may_be_blank: bool) -> Result<String, Vec<Complaint>> {
    let given = match entered {
        Entered::Text(text) => text.to_string(),
        Entered::Scalar(raw) => match number_as_text(raw) {
            Some(text) => text,
            None => return Err(vec![Complaint::NotText]),
        },
        Entered::Null | Entered::Other(_) => return Err(vec![Complaint::NotText]),
    };
    let trimmed = trim(&given);
    if trimmed.is_empty() && !may_be_blank {
        return Err(vec![Complaint::Blank]);
    }
    let too_long = (trimmed.chars().count() > max).then_some(Complaint::TooLong(max));
    let null = trimmed.contains('\0').then_some(Complaint::NullCharacter);
    let complaints: Vec<Complaint> = too_long.into_iter().chain(null).collect();
    if complaints.is_empty() { Ok(trimmed.to_owned()) } else { Err(complaints) }
}

/// A JSON number as Python's `str` shows it, `None` for a boolean and for a number that is too large for a float.
fn number_as_text(raw: &str) -> Option<String> {
    if !raw.contains(['.', 'e', 'E']) {
        return raw.parse::<i128>().ok().map(|number| number.to_string());
    }
    let number: f64 = raw.parse().ok().filter(|number: &f64| number.is_finite())?;
    if number == 0.0 || (1e-4..1e16).contains(&number.abs()) {
        return Some(format!("{number:?}"));
    }
    // Rust shows 1e22 and 1e-7, Python 1e+22 and 1e-07.
    let shown = format!("{number:e}");
    let (digits, exponent) = shown.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    Some(format!("{digits}e{exponent:+03}"))
}

fn truth(entered: &Entered) -> Option<bool> {
    let word = match entered {
        Entered::Text(text) => text.to_lowercase(),
        Entered::Scalar(raw) => match raw.parse::<f64>() {
            Ok(0.0) => "0".to_owned(),
            Ok(1.0) => "1".to_owned(),
            Ok(_) => return None,
            Err(_) => raw.to_string(),
        },
        Entered::Null | Entered::Other(_) => return None,
    };
    match word.as_str() {
        "t" | "y" | "yes" | "true" | "on" | "1" => Some(true),
        "f" | "n" | "no" | "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn integer(entered: &Entered, min: i64, max: i64) -> Result<i64, Complaint> {
    let given = match entered {
        Entered::Text(text) if text.chars().count() > MAX_NUMBER_LENGTH => return Err("String value too large.".into()),
        Entered::Text(text) => Some(text.to_string()),
        Entered::Scalar(raw) if raw.contains(['.', 'e', 'E']) => number_as_text(raw),
        Entered::Scalar(raw) => Some(raw.to_string()),
        Entered::Null | Entered::Other(_) => None,
    };
    let Some(number) = given.as_deref().and_then(whole) else { return Err("A valid integer is required.".into()) };
    if number > i128::from(max) {
        return Err(format!("Ensure this value is less than or equal to {max}.").into());
    }
    if number < i128::from(min) {
        return Err(format!("Ensure this value is greater than or equal to {min}.").into());
    }
    i64::try_from(number).map_err(|_| "A valid integer is required.".into())
}

/// A whole number as Python's `int` reads it, in the digits of any script: with white space around it, a sign, single `_` between digits, and a fraction of
/// zeros. One that is too large for any range is the largest.
fn whole(text: &str) -> Option<i128> {
    let text = trim(text);
    let digits = match text.split_once('.') {
        Some((digits, zeros)) if zeros.bytes().all(|byte| byte == b'0') => digits,
        Some(_) => return None,
        None => text,
    };
    let (is_negative, digits) = match digits.as_bytes() {
        [b'-', ..] => (true, &digits[1..]),
        [b'+', ..] => (false, &digits[1..]),
        _ => (false, digits),
    };
    let mut number: i128 = 0;
    for part in digits.split('_') {
        if part.is_empty() {
            return None;
        }
        for char in part.chars() {
            number = number.saturating_mul(10).saturating_add(decimal_value(char)?.into());
        }
    }
    Some(if is_negative { -number } else { number })
}

/// A date as Python 3.11 and Django read it: YYYY-MM-DD, the other forms of ISO 8601 that name a day, and months and days of one digit.
fn date(entered: &Entered) -> Option<Date> {
    let Entered::Text(text) = entered else { return None };
    if !text.is_ascii() {
        return None;
    }
    let number = |digits: &str, lengths: std::ops::RangeInclusive<usize>| {
        (lengths.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse::<i16>().ok()).flatten()
    };
    let small = |digits: &str, lengths| number(digits, lengths).and_then(|number| i8::try_from(number).ok());
    let week = |year: &str, week: &str, day: Option<&str>| {
        let day = day.map_or(Some(1), |day| small(day, 1..=1)).and_then(|day| Weekday::from_monday_one_offset(day).ok())?;
        Some(ISOWeekDate::new(number(year, 4..=4)?, small(week, 2..=2)?, day).ok()?.date())
    };
    let found = if let Some((year, rest)) = text.split_once("-W") {
        match rest.split_once('-') {
            Some((number, day)) => week(year, number, Some(day)),
            None => week(year, rest, None),
        }
    } else if let Some((year, rest)) = text.split_once('W') {
        let (number, day) = rest.split_at_checked(2)?;
        week(year, number, Some(day).filter(|day| !day.is_empty()))
    } else if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Date::new(number(&text[..4], 4..=4)?, small(&text[4..6], 2..=2)?, small(&text[6..], 2..=2)?).ok()
    } else {
        let parts: Vec<&str> = text.split('-').collect();
        let [year, month, day] = parts[..] else { return None };
        Date::new(number(year, 4..=4)?, small(month, 1..=2)?, small(day, 1..=2)?).ok()
    };
    found.filter(|date| date.year() >= 1)
}

/// A value approximately as Python's `str` shows it, for a message.
fn shown(entered: &Entered) -> String {
    match entered {
        Entered::Text(text) => text.to_string(),
        Entered::Null => "None".to_owned(),
        Entered::Scalar(raw) => match raw.as_str() {
            "true" => "True".to_owned(),
            "false" => "False".to_owned(),
            number => number_as_text(number).unwrap_or_else(|| number.to_owned()),
        },
        Entered::Other(raw) => raw.replace('"', "'"),
    }
}
