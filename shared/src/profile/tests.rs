use super::*;
use crate::config::Settings;

/// What is wrong with a declaration; empty if nothing is.
fn complaints(declaration: &str) -> Vec<String> {
    let mut settings = Settings::from_pairs([("PROFILE_FIELDS".to_owned(), declaration.to_owned())]);
    let fields = ProfileFields::configured(&mut settings);
    let complaints = settings.finish().map_or_else(|error| error.complaints().to_vec(), |()| Vec::new());
    assert!(complaints.is_empty() || fields.is_empty(), "what is wrong declares nothing");
    complaints
}

fn fields(declaration: &str) -> ProfileFields {
    let mut settings = Settings::from_pairs([("PROFILE_FIELDS".to_owned(), declaration.to_owned())]);
    let fields = ProfileFields::configured(&mut settings);
    settings.finish().unwrap();
    fields
}

/// What a field makes of a text.
fn parsed(declaration: &str, text: &str) -> Result<String, String> {
    let fields = fields(&format!("{{\"a\": {declaration}}}"));
    let value = fields.named("a").unwrap().parse(text);
    let json = |value: Scalar| serde_json::to_string(&value).unwrap();
    value
        .map(json)
        .map_err(|complaints| complaints.iter().map(|complaint| complaint.in_english().into_owned()).collect::<Vec<_>>().join(" "))
}

#[test]
fn every_complaint_about_a_declaration_is_made_at_once_and_none_repeats_it() {
    let declaration = r#"{
        "Wrong": {"type": "text"}, "email": {"type": "text"}, "twice": {"type": "bool"}, "twice": {"type": "bool"}, "a": {"type": "colour"}, "b": [],
        "c": {"type": "text", "maximum": 5}, "d": {"type": "text", "max": 0}, "e": {"type": "integer", "min": 2, "max": 1}, "f": {"type": "choice"},
        "g": {"type": "choice", "of": ["x"]}, "h": {"type": "bool", "default": "yes"}, "i": {"type": "text", "required": true, "default": "x"},
        "j": {"type": "text", "required": true, "write": "operator"}, "k": {"type": "date", "write": "nobody"}, "l": {"type": "date", "max": 3},
        "m": {"type": "text", "max": 9223372036854775807, "token": true}, "n": {"type": "text", "max": 9223372036854775807}
    }"#;
    insta::assert_snapshot!(complaints(declaration).join("
"), @r"
    PROFILE_FIELDS: field 1: its name must be a small letter and at most 31 more, digits or _
    PROFILE_FIELDS: field 2: its name is one of Doorward's own
    PROFILE_FIELDS: field 4: its name is there twice
    PROFILE_FIELDS: field 5: its type must be text, bool, integer, date or choice
    PROFILE_FIELDS: field 6: must be an object with a type and, where they apply, max, min, of, required, default, write and token
    PROFILE_FIELDS: field 7: must be an object with a type and, where they apply, max, min, of, required, default, write and token
    PROFILE_FIELDS: field 8: its max must be at least 1
    PROFILE_FIELDS: field 9: its min and max must be a range within 2^53 of zero
    PROFILE_FIELDS: field 10: its choices must be listed in of, each with 1 to 150 characters and no space around it
    PROFILE_FIELDS: field 10: a choice must be required or have a default
    PROFILE_FIELDS: field 11: a choice must be required or have a default
    PROFILE_FIELDS: field 12: its default is no value that it may have
    PROFILE_FIELDS: field 13: a required field has no default
    PROFILE_FIELDS: field 14: a field that only an operator writes cannot be required
    PROFILE_FIELDS: field 15: its write must be owner or operator
    PROFILE_FIELDS: field 16: max is for text and integer, min for integer, of for choice
    PROFILE_FIELDS: its texts must have at most 2000 characters together
    PROFILE_FIELDS: texts with token must have at most 500 characters together
    ");
    for (wrong, complaint) in [
        ("[]", "PROFILE_FIELDS: must be a JSON object of fields"),
        ("secret", "PROFILE_FIELDS: must be a JSON object of fields"),
        (&format!("{{\"a\": {{\"type\": \"text\"{}}}}}", " ".repeat(2048)), "PROFILE_FIELDS: must have at most 2048 bytes"),
    ] {
        assert_eq!(complaints(wrong), [complaint]);
    }
    let many = |count: usize| {
        let fields: Vec<String> = (0..count).map(|number| format!("\"f{number}\": {{\"type\": \"bool\"}}")).collect();
        complaints(&format!("{{{}}}", fields.join(",")))
    };
    assert_eq!(many(20), [""; 0]);
    assert_eq!(many(21), ["PROFILE_FIELDS: must have at most 20 fields"]);
    let long = |max: usize, more: &str| complaints(&format!("{{\"a\": {{\"type\": \"text\", \"max\": {max}{more}}}}}"));
    assert_eq!((long(2000, "").len(), long(2001, "").len()), (0, 1));
    assert_eq!((long(500, ", \"token\": true").len(), long(501, ", \"token\": true").len()), (0, 1));
}

#[test]
fn fields_are_shown_in_the_order_of_their_declaration_with_their_defaults() {
    let declaration = r#"{
        "z": {"type": "text"}, "b": {"type": "bool"}, "a": {"type": "bool", "default": true}, "n": {"type": "integer"}, "m": {"type": "integer", "default": 3},
        "d": {"type": "date", "default": "2026-01-02"}, "c": {"type": "choice", "of": ["x", "y"], "default": "y"}, "r": {"type": "text", "required": true}
    }"#;
    let fields = fields(declaration);
    let shown = |profile: &Profile| serde_json::to_string(&fields.shown(profile)).unwrap();
    assert_eq!(shown(&Profile::default()), r#"{"z":"","b":false,"a":true,"n":null,"m":3,"d":"2026-01-02","c":"y","r":""}"#);
    // Values stored under an earlier declaration: of another type, of a choice that no longer exists, and of a field that is not declared.
    let values = [("z", Scalar::Truth(true)), ("b", Scalar::Truth(true)), ("c", Scalar::Text("w".to_owned())), ("x", Scalar::Number(1))];
    let old = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    assert_eq!(shown(&old), r#"{"z":"","b":true,"a":true,"n":null,"m":3,"d":"2026-01-02","c":"y","r":""}"#);
}

#[test]
fn a_name_is_a_small_letter_and_others_or_digits() {
    for (name, is_right) in [("a", true), ("first_name2", true), (&"a".repeat(32), true), (&"a".repeat(33), false), ("", false)] {
        assert_eq!(is_plain(name), is_right, "{name}");
    }
    for name in ["A", "_a", "1a", "a-b", "a b", "é"] {
        assert!(!is_plain(name), "{name}");
    }
}

#[test]
fn dates_and_numbers_are_read_as_python_reads_them() {
    const WRONG: &str = "Date has wrong format. Use one of these formats instead: YYYY-MM-DD.";
    for (text, date) in [("2024-02-29", "2024-02-29"), ("2024-2-9", "2024-02-09"), ("20240229", "2024-02-29"), ("2024W091", "2024-02-26")] {
        assert_eq!(parsed(r#"{"type": "date"}"#, text), Ok(format!("\"{date}\"")), "{text}");
    }
    for text in
        ["2023-02-29", "0000-01-01", "2024-02", "2024-060", "24-02-29", "W", "2024-W60-1", "2024-W01-8", "+2024-02-29", "-024-02-29"]
    {
        assert_eq!(parsed(r#"{"type": "date"}"#, text), Err(WRONG.to_owned()), "{text}");
    }
    for (text, number) in [("７", "7"), ("1_000", "1000"), ("-5", "-5"), ("\u{1f} 5.\t", "5"), ("9007199254740991", "9007199254740991")] {
        assert_eq!(parsed(r#"{"type": "integer"}"#, text), Ok(number.to_owned()), "{text}");
    }
    for text in ["", "-", "+-1", "1__0", "_1", "1_", "1,0", "5.1", "½", "²", ".0", "1 2"] {
        assert_eq!(parsed(r#"{"type": "integer"}"#, text), Err("A valid integer is required.".to_owned()), "{text}");
    }
    let most = parsed(r#"{"type": "integer"}"#, "9007199254740992");
    assert_eq!(most, Err("Ensure this value is less than or equal to 9007199254740991.".to_owned()));
}

#[test]
fn no_debug_output_of_a_complaint_shows_what_was_typed() {
    let of = fields(r#"{"a": {"type": "choice", "of": ["x"], "default": "x"}}"#);
    let Err(complaints) = of.named("a").unwrap().parse("personal") else { panic!("no choice") };
    assert_eq!(complaints[0].in_english(), "\"personal\" is not a valid choice.");
    assert_eq!(format!("{complaints:?}"), "[NoChoice(***)]");
}
