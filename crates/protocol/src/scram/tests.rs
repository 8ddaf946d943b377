use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::ScramMechanism;

#[test]
fn the_exchange_of_rfc_7677_adds_up() {
    // RFC 7677, section 3: user "user", password "pencil".
    let mechanism = ScramMechanism::Sha256;
    let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64");
    let salted = mechanism.salted_password(b"pencil", &salt, 4096);
    let keys = mechanism.keys(&salted);
    let said = b"n=user,r=rOprNGfwEbeRWgbNEkqO,\
        r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
        c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    let server_signature = mechanism.hmac(&keys.server_key, said);
    assert_eq!(STANDARD.encode(server_signature), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    // The proof, undone with the stored key, is a key whose hash is the stored key.
    let proof = STANDARD.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").expect("base64");
    let client_signature = mechanism.hmac(&keys.stored_key, said);
    let client_key: Vec<u8> = proof.iter().zip(&client_signature).map(|(a, b)| a ^ b).collect();
    assert_eq!(mechanism.hash(&client_key), keys.stored_key);
}

#[test]
fn the_longer_hash_gives_longer_keys() {
    let salted = ScramMechanism::Sha512.salted_password(b"secret", b"salt", 2);
    let keys = ScramMechanism::Sha512.keys(&salted);
    assert_eq!((salted.len(), keys.stored_key.len(), keys.server_key.len()), (64, 64, 64));
}

#[test]
fn numbers_and_names_lead_back() {
    for mechanism in ScramMechanism::ALL {
        assert_eq!(ScramMechanism::from_number(mechanism.number()), Some(mechanism));
        assert_eq!(ScramMechanism::from_name(mechanism.name()), Some(mechanism));
    }
    assert_eq!(ScramMechanism::from_number(0), None);
    assert_eq!(ScramMechanism::from_name("SCRAM-SHA-1"), None);
}
