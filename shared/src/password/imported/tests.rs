use super::UnsupportedHashError::{Malformed, OutOfBounds, UnknownAlgorithm};
use super::*;

mod layered;
mod services;

/// 16 bytes of salt, and tags of 20, 32 and 64 bytes.
const SALT: &str = "c2FsdHNhbHRzYWx0MTIzNA";
const TAG_20: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const TAG_32: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const TAG_64: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";
/// Salt and tag of bcrypt, 22 and 31 characters.
const BCRYPT: &str = "abcdefghijklmnopqrstuuAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAe";

#[track_caller]
fn accepted(stored: &str) {
    assert_eq!(KnownHash::parse(stored).err(), None, "{stored}");
}

#[track_caller]
fn refused(stored: &str, reason: UnsupportedHashError) {
    assert_eq!(KnownHash::parse(stored).err(), Some(reason), "{stored}");
}

fn argon2(costs: &str) -> String {
    format!("$argon2id$v=19${costs}${SALT}${}", TAG_32.trim_end_matches('='))
}

fn scrypt(cost: &str, blocks: &str, lanes: &str) -> String {
    format!("scrypt${cost}$salt${blocks}${lanes}${TAG_64}")
}

fn pbkdf2(rounds: &str) -> String {
    format!("pbkdf2_sha256${rounds}$salt${TAG_32}")
}

#[test]
fn what_is_no_hash_of_ours_is_unknown() {
    let strings = ["", "!", "plain", "md5$salt$0", "sha1$salt$0", "$", "$$", "$1$salt$x", "$6$salt$x", "$argon2$x", "PBKDF2_SHA256$1$a$b"];
    for stored in strings {
        refused(stored, UnknownAlgorithm);
    }
    refused(&format!("$2x$12${BCRYPT}"), UnknownAlgorithm);
    refused(&format!("bcrypt$$2x$12${BCRYPT}"), UnknownAlgorithm);
    refused(&format!("argon2${}", argon2("m=8,t=1,p=1")), UnknownAlgorithm);
    refused(&"$".repeat(MAX_STRING_BYTES + 1), Malformed);
}

#[test]
fn argon2_is_bounded() {
    for costs in ["m=8,t=1,p=1", "m=102400,t=2,p=8", "m=262144,t=4,p=1", "m=8,t=131072,p=1", "m=512,t=2,p=64"] {
        accepted(&argon2(costs));
        accepted(&format!("argon2{}", argon2(costs)));
    }
    let beyond = [
        "m=262145,t=1,p=1",
        "m=262144,t=5,p=1",
        "m=4194304,t=1,p=1",
        "m=4294967295,t=4294967295,p=1",
        "m=8,t=131073,p=1",
        "m=1024,t=1,p=65",
        "m=15,t=1,p=2",
        "m=7,t=1,p=1",
        "m=8,t=0,p=1",
        "m=8,t=1,p=0",
        "m=0,t=0,p=0",
        "m=8,t=1,p=4294967295",
        "m=99999999999999999999,t=1,p=1",
    ];
    for costs in beyond {
        refused(&argon2(costs), OutOfBounds);
    }
}

#[test]
fn argon2_is_read_strictly() {
    accepted(&argon2("m=64,t=2,p=1").replace("$v=19", "$v=16"));
    accepted(&argon2("m=64,t=2,p=1").replace("$v=19", ""));
    accepted(&argon2("m=64,t=2,p=1").replace("argon2id", "argon2i"));
    accepted(&argon2("m=64,t=2,p=1").replace("argon2id", "argon2d"));
    let costs = [
        "",
        "m=64",
        "m=64,t=2",
        "t=2,m=64,p=1",
        "m=64,t=2,p=1,",
        "m=64,t=2,p=1,data=AA",
        "m=+64,t=2,p=1",
        "m=-64,t=2,p=1",
        "m=064,t=2,p=1",
        "m= 64,t=2,p=1",
        "m=6_4,t=2,p=1",
        "m=0x40,t=2,p=1",
        "m=٦٤,t=2,p=1",
        "M=64,t=2,p=1",
        "m=,t=2,p=1",
        "m=1e3,t=2,p=1",
    ];
    for costs in costs {
        refused(&argon2(costs), Malformed);
    }
    refused(&argon2("m=64,t=2,p=1").replace("v=19", "v=18"), Malformed);
    refused(&format!("{}$", argon2("m=64,t=2,p=1")), Malformed);
    refused(&format!("{}=", argon2("m=64,t=2,p=1")), Malformed);
    refused("$argon2id$v=19$m=64,t=2,p=1", Malformed);
    refused("$argon2id", Malformed);
    // Too short or too long a salt or tag.
    refused(&format!("$argon2id$v=19$m=64,t=2,p=1$c2FsdA${}", TAG_32.trim_end_matches('=')), OutOfBounds);
    refused(&format!("$argon2id$v=19$m=64,t=2,p=1${SALT}$AAAA"), OutOfBounds);
    refused(&format!("$argon2id$v=19$m=64,t=2,p=1${SALT}${}", "A".repeat(88)), OutOfBounds);
    // A last character whose spare bits are set.
    refused(&format!("$argon2id$v=19$m=64,t=2,p=1${SALT}${}B", "A".repeat(42)), Malformed);
}

#[test]
fn pbkdf2_is_bounded_and_read_strictly() {
    for rounds in ["1", "1000", "1000000", "1200000", "5000000"] {
        accepted(&pbkdf2(rounds));
        accepted(&format!("pbkdf2_sha1${rounds}$salt${TAG_20}"));
    }
    for rounds in ["0", "5000001", "1000000000", "4294967297", "99999999999999999999999999"] {
        refused(&pbkdf2(rounds), OutOfBounds);
    }
    for rounds in ["", "-1", "+1", " 1", "01", "1_000", "1.0", "١"] {
        refused(&pbkdf2(rounds), Malformed);
    }
    accepted(&format!("pbkdf2_sha256$1$sält ☃$ {TAG_32}").replace("$ ", "$"));
    for tail in ["", "salt", "$", "salt$", "salt$AAAA", "salt$A", "salt$====", "salt$é"] {
        refused(&format!("pbkdf2_sha256$1${tail}"), Malformed);
    }
    refused(&format!("pbkdf2_sha256$1$${TAG_32}"), Malformed);
    refused(&format!("pbkdf2_sha256$1$salt${TAG_20}"), Malformed);
    refused(&format!("pbkdf2_sha1$1$salt${TAG_32}"), Malformed);
    refused(&format!("pbkdf2_sha256$1$salt${}", TAG_32.trim_end_matches('=')), Malformed);
    refused(&format!("pbkdf2_sha256$1$salt${TAG_32}$"), Malformed);
    refused(&format!("pbkdf2_sha256$1$salt${TAG_32}\n"), Malformed);
}

/// Salt and tag as the PHC string format has them, and the tags of the other digests.
fn crypt(name: &str, costs: &str) -> String {
    format!("${name}${costs}${SALT}${}", TAG_32.trim_end_matches('='))
}

#[test]
fn pbkdf2_of_passlib_and_of_the_phc_format_is_bounded_and_read_strictly() {
    for name in ["pbkdf2", "pbkdf2-sha1", "pbkdf2-sha256", "pbkdf2-sha512"] {
        for costs in ["1", "i=1", "i=1,l=32", "i=1,l=256", "29000", "i=2500000,l=32"] {
            accepted(&crypt(name, costs));
        }
        for costs in ["0", "i=0", "5000001", "i=5000001", "99999999999", "i=1,l=99999999999"] {
            refused(&crypt(name, costs), OutOfBounds);
        }
        for costs in
            ["", "i=", "l=32", "i=1,l=", "i=1,l=31", "i=1,l=032", "i=1,", "l=32,i=1", "i=01", "+1", "i=1 ", "rounds=1", "i=1,l=32,x=1"]
        {
            refused(&crypt(name, costs), Malformed);
        }
    }
    refused("$pbkdf2-sha224$1$c2FsdA$AAAAAAAAAAAAAAAAAAAAAA", UnknownAlgorithm);
    // A tag longer than the digest takes all rounds again for the rest of it.
    accepted(&format!("$pbkdf2-sha256$2500000${SALT}${TAG_64}"));
    refused(&format!("$pbkdf2-sha256$2500001${SALT}${TAG_64}"), OutOfBounds);
    accepted(&format!("$pbkdf2-sha512$2500000${SALT}${TAG_64}"));
    refused(&format!("$pbkdf2-sha512$2500001${SALT}${TAG_64}"), OutOfBounds);
}

#[test]
fn base64_of_crypt_forms_is_read_with_and_without_padding_and_with_the_dots_of_passlib() {
    for (salt, tag) in [(SALT, TAG_32), ("c2FsdHNhbHRzYWx0MTIzNA==", TAG_32.trim_end_matches('=')), ("././/v/v", TAG_64), ("+/+/", TAG_20)]
    {
        accepted(&format!("$pbkdf2-sha256$1${salt}${tag}"));
        accepted(&format!("$scrypt$ln=4,r=8,p=1${salt}${tag}"));
    }
    for (salt, tag) in
        [("", TAG_32), ("c", TAG_32), ("c2Fsd é", TAG_32), ("c2F-d_", TAG_32), (SALT, "A"), (SALT, "A==="), ("c2FsdB", TAG_32)]
    {
        refused(&format!("$pbkdf2-sha256$1${salt}${tag}"), Malformed);
        refused(&format!("$scrypt$ln=4,r=8,p=1${salt}${tag}"), Malformed);
    }
    for tag in ["", "AAAA", "AAAAAAAAAAAAAAA", &"A".repeat(88)] {
        refused(&format!("$pbkdf2-sha256$1${SALT}${tag}"), OutOfBounds);
        refused(&format!("$scrypt$ln=4,r=8,p=1${SALT}${tag}"), OutOfBounds);
    }
    for stored in
        ["$pbkdf2-sha256", "$pbkdf2-sha256$1", "$pbkdf2-sha256$1$c2FsdA", "$scrypt", "$scrypt$ln=4,r=8,p=1$c2FsdA", "$pbkdf2$1$a$b$c"]
    {
        refused(stored, Malformed);
    }
}

#[test]
fn scrypt_of_the_phc_format_has_a_logarithm_or_as_kratos_writes_it_the_number_itself() {
    for costs in ["ln=1,r=1,p=1", "ln=17,r=8,p=1", "ln=18,r=8,p=2", "ln=16384,r=8,p=1", "ln=131072,r=8,p=1", "ln=64,r=8,p=1"] {
        accepted(&crypt("scrypt", costs));
    }
    for costs in [
        "ln=0,r=8,p=1",
        "ln=19,r=8,p=1",
        "ln=31,r=1,p=1",
        "ln=33,r=8,p=1",
        "ln=16383,r=8,p=1",
        "ln=524288,r=8,p=1",
        "ln=4,r=0,p=1",
        "ln=4,r=8,p=65",
    ] {
        refused(&crypt("scrypt", costs), OutOfBounds);
    }
    for costs in ["", "ln=4", "ln=4,r=8", "r=8,ln=4,p=1", "ln=4,r=8,p=1,x=1", "ln=04,r=8,p=1", "N=16384,r=8,p=1", "ln=-4,r=8,p=1"] {
        refused(&crypt("scrypt", costs), Malformed);
    }
}

#[test]
fn only_what_no_other_text_can_match_may_be_hashed_anew() {
    let determines = |stored: &str, password: &str| KnownHash::parse(stored).ok().unwrap().determines(password);
    let plain = [format!("$2b$12${BCRYPT}"), format!("bcrypt$$2y$12${BCRYPT}")];
    for stored in &plain {
        for (password, one) in [("", true), (&*"x".repeat(71), true), (&*"x".repeat(72), false), (&*"x".repeat(73), false), ("x\0x", false)]
        {
            assert_eq!(determines(stored, password), one, "{stored} {password:?}");
        }
        // Bytes are counted, not characters.
        assert!(!determines(stored, &"é".repeat(36)) && determines(stored, &"é".repeat(35)));
    }
    let long = "x".repeat(1000);
    for stored in [
        argon2("m=64,t=2,p=1"),
        format!("bcrypt_sha256$$2b$12${BCRYPT}"),
        pbkdf2("1"),
        scrypt("2", "1", "1"),
        crypt("scrypt", "ln=4,r=8,p=1"),
    ] {
        assert!(determines(&stored, &long), "{stored}");
    }
    assert!(!determines(&pbkdf2("1"), "x\0"));
    assert!(determines(&argon2("m=64,t=2,p=1"), "x\0"));
}

#[test]
fn only_a_salt_that_ends_in_the_mark_says_that_the_password_was_hashed_in_normal_form() {
    let salted = |salt: &[u8]| {
        let hash = format!("$argon2id$v=19$m=64,t=2,p=1${}${}", STANDARD.encode(salt).trim_end_matches('='), TAG_32.trim_end_matches('='));
        KnownHash::parse(&hash).ok().unwrap().is_of_normal_form()
    };
    assert!(salted(b"123456789012345678NFC"));
    for salt in
        [&b"1234567890123456"[..], b"12345678901234567890N", b"1234567890123NFC", b"1234567890123456789NFC", b"123456789012345678nfc"]
    {
        assert!(!salted(salt), "{salt:?}");
    }
    assert!(!KnownHash::parse(&pbkdf2("1")).ok().unwrap().is_of_normal_form());
}

#[test]
fn scrypt_is_bounded_and_read_strictly() {
    for (cost, blocks, lanes) in
        [("2", "1", "1"), ("16384", "8", "5"), ("131072", "8", "1"), ("8192", "8", "10"), ("131072", "8", "4"), ("262144", "8", "2")]
    {
        accepted(&scrypt(cost, blocks, lanes));
    }
    let beyond = [
        ("0", "8", "1"),
        ("1", "8", "1"),
        ("3", "8", "1"),
        ("16384", "0", "5"),
        ("16384", "8", "0"),
        ("524288", "8", "1"),
        ("131072", "8", "5"),
        ("2147483648", "1", "1"),
        ("2", "65", "1"),
        ("2", "1", "65"),
        ("4294967296", "8", "1"),
        ("2", "4294967295", "4294967295"),
        ("2147483648", "4294967295", "4294967295"),
    ];
    for (cost, blocks, lanes) in beyond {
        refused(&scrypt(cost, blocks, lanes), OutOfBounds);
    }
    refused(&scrypt("016384", "8", "5"), Malformed);
    refused(&scrypt("16384", "8", "-5"), Malformed);
    refused(&scrypt("16384", "8", "5").replace("salt", ""), Malformed);
    refused(&format!("scrypt$2$salt$1$1${TAG_32}"), Malformed);
    refused(&format!("scrypt$2$salt$1$1$1${TAG_64}"), Malformed);
    refused("scrypt$2$salt$1$1", Malformed);
}

#[test]
fn bcrypt_is_bounded_and_read_strictly() {
    for prefix in ["$2a$04$", "$2b$12$", "$2y$15$", "bcrypt$$2b$12$", "bcrypt_sha256$$2b$12$"] {
        accepted(&format!("{prefix}{BCRYPT}"));
    }
    for cost in ["00", "03", "16", "31", "32", "99"] {
        refused(&format!("$2b${cost}${BCRYPT}"), OutOfBounds);
    }
    for cost in ["+9", "-9", " 9", "9", "012", "x9", "é"] {
        refused(&format!("$2b${cost}${BCRYPT}"), Malformed);
    }
    refused(&format!("$2b$12${BCRYPT}A"), Malformed);
    refused(&format!("$2b$12${}", &BCRYPT[1..]), Malformed);
    refused(&format!("$2b$12${}", BCRYPT.replace("uu", "u=")), Malformed);
    refused(&format!("$2b$12${}", BCRYPT.replace("uu", "é")), Malformed);
    // Spare bits of salt and tag belong to no byte, so they make no other hash.
    accepted(&format!("$2b$12${}", BCRYPT.replace("uu", "uv")));
    accepted(&format!("$2b$12${}", BCRYPT.replace('e', "f")));
    for prefix in ["$2b$12$", "bcrypt$$2y$12$", "bcrypt_sha256$$2b$12$", "$wp$2y$12$"] {
        let [clean, filled] = [BCRYPT.to_owned(), format!("{}f", &BCRYPT[..52]).replace("uu", "uv")].map(|tail| format!("{prefix}{tail}"));
        assert_eq!(StoredPassword::stored(filled).portable(), clean);
        assert_eq!(StoredPassword::stored(clean.clone()).portable(), clean);
    }
    for other in [pbkdf2("1"), argon2("m=64,t=2,p=1"), "!".to_owned(), "$2x$".to_owned()] {
        assert_eq!(StoredPassword::stored(other.clone()).portable(), other);
    }
    refused("bcrypt$2b$12$", UnknownAlgorithm);
}
