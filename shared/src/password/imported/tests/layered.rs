//! Old hashes with Argon2id over them.

use super::*;

/// An Argon2id of this cost over an old string.
fn layered(costs: &str, inner: &str) -> String {
    format!("$layered{}${inner}", argon2(costs))
}

const CHEAP: &str = "m=64,t=1,p=1";

#[test]
fn a_layer_goes_over_every_algorithm_whose_tag_is_blank() {
    let blank = ".".repeat(31);
    let bcrypt = &BCRYPT[..22];
    for inner in [
        pbkdf2("1"),
        scrypt("2", "1", "1"),
        crypt("pbkdf2-sha512", "i=1"),
        crypt("scrypt", "ln=4,r=8,p=1"),
        crypt("scrypt-nfkc", "ln=4,r=8,p=1"),
        argon2("m=8,t=1,p=1"),
        format!("argon2{}", argon2("m=102400,t=2,p=8")),
        format!("$2b$12${bcrypt}{blank}"),
        format!("bcrypt$$2b$12${bcrypt}{blank}"),
        format!("bcrypt_sha256$$2b$12${bcrypt}{blank}"),
        format!("$wp$2y$10${bcrypt}{blank}"),
        format!("$P$BNaClNaCl{}", ".".repeat(22)),
        format!("$fbscrypt$v=1,n=4,r=1,p=1,ss=Bw==,sk={TAG_64}${SALT}${TAG_64}"),
    ] {
        accepted(&layered(CHEAP, &inner));
    }
}

#[test]
fn both_hashes_of_a_layered_one_are_bounded_before_any_work() {
    accepted(&layered("m=262144,t=4,p=1", &pbkdf2("5000000")));
    refused(&layered("m=262145,t=1,p=1", &pbkdf2("1")), OutOfBounds);
    refused(&layered("m=262144,t=5,p=1", &pbkdf2("1")), OutOfBounds);
    refused(&layered(CHEAP, &pbkdf2("5000001")), OutOfBounds);
    refused(&layered(CHEAP, &scrypt("524288", "8", "1")), OutOfBounds);
    refused(&layered(CHEAP, &argon2("m=4194304,t=1,p=1")), OutOfBounds);
    refused(&layered(CHEAP, &format!("$2b$16${}{}", &BCRYPT[..22], ".".repeat(31))), OutOfBounds);
}

#[test]
fn a_layered_hash_is_read_strictly() {
    // With the old tag, or a part of it, the password could be guessed at the old cost.
    refused(&layered(CHEAP, &pbkdf2("1").replace("AAA=", "AAB=").replace("AABA", "AAAA")), Malformed);
    refused(&layered(CHEAP, &pbkdf2("1").replacen("$AAAA", "$BAAA", 1)), Malformed);
    refused(&layered(CHEAP, &format!("$2b$12${BCRYPT}")), Malformed);
    refused(&layered(CHEAP, &format!("$P$BNaClNaCl{}1", ".".repeat(21))), Malformed);
    // One layer, of Argon2id in its present version.
    refused(&layered(CHEAP, &layered(CHEAP, &pbkdf2("1"))), Malformed);
    for other in [argon2(CHEAP).replace("$v=19", "$v=16"), argon2(CHEAP).replace("argon2id", "argon2i"), argon2(CHEAP).replace("$v=19", "")]
    {
        let read = KnownHash::parse(&format!("$layered{other}${}", pbkdf2("1")));
        assert!(read.is_err(), "{other}");
    }
    for inner in ["", "!", "plain", "md5$salt$0", "$", "pbkdf2_sha256$1$salt", "pbkdf2_sha256$1$salt$"] {
        assert!(KnownHash::parse(&layered(CHEAP, inner)).is_err(), "{inner}");
    }
    for cut in [
        "$layered$",
        "$layered$$$$$",
        "$layered$argon2id$v=19",
        &format!("$layered{}", argon2(CHEAP)),
        &format!("$layered{}$", argon2(CHEAP)),
    ] {
        assert!(KnownHash::parse(cut).is_err(), "{cut}");
    }
    refused(&format!("$layered${}", "$".repeat(MAX_LAYERED_BYTES)), Malformed);
    refused(&layered(CHEAP, &"$".repeat(MAX_STRING_BYTES + 1)), Malformed);
}

#[test]
fn an_old_hash_takes_a_layer_and_a_strong_argon2id_and_what_is_no_hash_take_none() {
    let takes = |text: &str| StoredPassword::stored(text.to_owned()).takes_layer();
    for old in [
        &pbkdf2("5000000"),
        &argon2("m=64,t=2,p=1"),
        &argon2("m=65536,t=3,p=4").replace("argon2id", "argon2i"),
        "$P$BNaClNaCl......................",
    ] {
        assert!(takes(old), "{old}");
    }
    for none in [
        &argon2("m=19456,t=2,p=1"),
        &argon2("m=7168,t=5,p=1"),
        &argon2("m=65536,t=3,p=64"),
        &layered(CHEAP, &pbkdf2("1")),
        "!",
        "md5$salt$0",
        "",
    ] {
        assert!(!takes(none), "{none}");
    }
    assert!(takes(&argon2("m=19455,t=2,p=1")), "a kibibyte below the floor");
}

#[test]
fn the_form_of_the_password_is_that_of_the_hash_beneath() {
    let of_normal_form = |text: &str| KnownHash::parse(text).ok().unwrap().is_of_normal_form();
    let own = argon2("m=64,t=2,p=1").replace(SALT, STANDARD.encode(b"123456789012345678NFC").trim_end_matches('='));
    assert!(of_normal_form(&layered(CHEAP, &own)) && !of_normal_form(&layered(CHEAP, &pbkdf2("1"))));
    let determines = |text: &str, password: &str| KnownHash::parse(text).ok().unwrap().determines(password);
    let bcrypt = format!("$2b$12${}{}", &BCRYPT[..22], ".".repeat(31));
    assert!(determines(&layered(CHEAP, &bcrypt), "x") && !determines(&layered(CHEAP, &bcrypt), &"x".repeat(72)));
}
