use super::RefusedHash::{Malformed, OutOfBounds, UnknownAlgorithm};
use super::*;

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
fn refused(stored: &str, reason: RefusedHash) {
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
    refused(&"$".repeat(LONGEST_STRING + 1), Malformed);
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
    // Spare bits of salt and tag.
    refused(&format!("$2b$12${}", BCRYPT.replace("uu", "uv")), Malformed);
    refused(&format!("$2b$12${}", BCRYPT.replace('e', "f")), Malformed);
    refused("bcrypt$2b$12$", UnknownAlgorithm);
}
