//! The forms of other services.

use super::*;

/// A signer key and a hash as long, which holds no number that looks like a cost.
const KEY: &str = TAG_64;

fn firebase(costs: &str) -> String {
    format!("$fbscrypt$v=1,{costs},ss=Bw==,sk={KEY}${SALT}${KEY}")
}

#[test]
fn firebase_is_bounded_and_read_strictly() {
    for costs in ["n=1,r=1,p=1", "n=14,r=8,p=1", "n=17,r=8,p=1", "n=18,r=8,p=2"] {
        accepted(&firebase(costs));
    }
    for costs in ["n=0,r=8,p=1", "n=19,r=8,p=1", "n=31,r=1,p=1", "n=32,r=8,p=1", "n=4,r=0,p=1", "n=4,r=65,p=1", "n=4,r=8,p=65"] {
        refused(&firebase(costs), OutOfBounds);
    }
    for costs in ["", "n=14", "r=8,n=14,p=1", "n=14,r=8,p=1,x=1", "n=014,r=8,p=1", "ln=14,r=8,p=1"] {
        refused(&firebase(costs), Malformed);
    }
    let whole = firebase("n=4,r=1,p=1");
    accepted(&whole.replace("ss=Bw==", "ss="));
    // The hash is as long as the key.
    refused(&whole.replace(&format!("${KEY}"), &format!("${TAG_32}")), Malformed);
    refused(&whole.replace(KEY, "AAAA"), OutOfBounds);
    for wrong in ["v=2", "v=", "v"] {
        refused(&whole.replace("v=1", wrong), Malformed);
    }
    refused(&whole.replace(SALT, ""), Malformed);
    refused(&whole.replace("sk=", "sk=%"), Malformed);
    for cut in ["$fbscrypt", "$fbscrypt$v=1", "$fbscrypt$v=1,n=4,r=1,p=1,ss=,sk=$", &format!("{whole}$")] {
        refused(cut, Malformed);
    }
}

#[test]
fn phpass_is_bounded_read_strictly_and_weak() {
    let hash = |cost: char| format!("$P${cost}NaClNaCl{}", ".".repeat(22));
    for cost in ['5', '9', 'B', 'E'] {
        accepted(&hash(cost));
        accepted(&hash(cost).replace("$P$", "$H$"));
    }
    for cost in ['.', '4', 'F', 'z'] {
        refused(&hash(cost), OutOfBounds);
    }
    let whole = hash('B');
    for wrong in [
        "$P$",
        "$P$B",
        "$P$BNaCl",
        &format!("{whole}."),
        &whole[..33],
        &hash('$'),
        &hash('é'),
        &whole.replace("....", "..+."),
        &whole.replace("Cl", "$l"),
    ] {
        refused(wrong, Malformed);
    }
    let is_weak = |text: &str| StoredPassword::stored(text.to_owned()).is_weak();
    assert!(is_weak(&whole) && is_weak(&whole.replace("$P$", "$H$")));
    assert!(!is_weak(&firebase("n=4,r=1,p=1")) && !is_weak(&argon2("m=64,t=2,p=1")) && !is_weak("!"));
}

#[test]
fn a_password_longer_than_wordpress_takes_costs_no_round_of_phpass() {
    let hash = KnownHash::parse(&format!("$P$ENaClNaCl{}", ".".repeat(22))).ok().unwrap();
    let KnownHash::Phpass(hash) = hash else { panic!("phpass") };
    // 65,536 rounds of a megabyte would take minutes.
    assert!(hash.computed(&vec![b'x'; 1 << 20]).is_none());
}

#[test]
fn wordpress_s_bcrypt_is_bounded_as_bcrypt_and_determines_every_password() {
    accepted(&format!("$wp$2y$10${BCRYPT}"));
    refused(&format!("$wp$2y$16${BCRYPT}"), OutOfBounds);
    refused(&format!("$wp$2y$10${BCRYPT}A"), Malformed);
    refused("$wp$P$B", UnknownAlgorithm);
    refused("$wp", UnknownAlgorithm);
    let hash = KnownHash::parse(&format!("$wp$2y$10${BCRYPT}")).ok().unwrap();
    assert!(["", "x\0x", &"x".repeat(100), " x "].into_iter().all(|password| hash.determines(password)));
}

#[test]
fn of_texts_that_one_form_makes_the_same_only_that_form_replaces_their_hash() {
    let hash = KnownHash::parse(&crypt("scrypt-nfkc", "ln=4,r=8,p=1")).ok().unwrap();
    for (password, alone) in [("fish", true), ("ﬁsh", false), ("Größe", true), ("Gro\u{308}ße", true), ("４２", false), ("x\0", false)]
    {
        assert_eq!(hash.determines(password), alone, "{password}");
    }
    refused(&crypt("scrypt-nfkc", "ln=19,r=8,p=1"), OutOfBounds);
}
