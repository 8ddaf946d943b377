//! TLS, SASL and authorization. Ottla has none of them yet: keys that only prepare them are taken and
//! named at start, keys that would be believed to protect something are refused.

use super::{Bounds, Key, Kind};

const NO_AUTHORIZER: &str =
    "Ottla does not check ACLs yet; remove the key to run without authorization";

/// Sorted by name.
pub(super) const KEYS: &[Key] = &[
    Key::node(
        "allow.everyone.if.no.acl.found",
        Kind::Boolean,
        "Whether resources without ACLs are open to everybody.",
    )
    .without_effect(),
    Key::node("authorizer.class.name", Kind::Class, "The authorizer.")
        .default("")
        .refused(NO_AUTHORIZER),
    Key::node("sasl.enabled.mechanisms", Kind::List, "Which SASL mechanisms are served.")
        .default("GSSAPI")
        .without_effect(),
    Key::node(
        "sasl.mechanism.controller.protocol",
        Kind::Text,
        "The SASL mechanism between controllers.",
    )
    .default("GSSAPI")
    .without_effect(),
    Key::node(
        "sasl.mechanism.inter.broker.protocol",
        Kind::Text,
        "The SASL mechanism between brokers.",
    )
    .default("GSSAPI")
    .without_effect(),
    Key::node("ssl.client.auth", Kind::Text, "Whether TLS clients must show a certificate.")
        .default("none")
        .bounds(Bounds::OneOf(&["required", "requested", "none"]))
        .without_effect(),
    Key::node("ssl.key.password", Kind::Password, "The password of the private key.")
        .without_effect(),
    Key::node(
        "ssl.keystore.certificate.chain",
        Kind::Password,
        "The node's certificate chain, in PEM.",
    )
    .without_effect(),
    Key::node("ssl.keystore.key", Kind::Password, "The node's private key, in PEM.")
        .without_effect(),
    Key::node("ssl.keystore.location", Kind::Text, "The file of the node's key.").without_effect(),
    Key::node("ssl.keystore.password", Kind::Password, "The password of that file.")
        .without_effect(),
    Key::node("ssl.keystore.type", Kind::Text, "The form of that file.")
        .default("JKS")
        .without_effect(),
    Key::node("ssl.truststore.certificates", Kind::Password, "The certificates to trust, in PEM.")
        .without_effect(),
    Key::node("ssl.truststore.location", Kind::Text, "The file of the certificates to trust.")
        .without_effect(),
    Key::node("ssl.truststore.password", Kind::Password, "The password of that file.")
        .without_effect(),
    Key::node("ssl.truststore.type", Kind::Text, "The form of that file.")
        .default("JKS")
        .without_effect(),
    Key::node("super.users", Kind::Text, "Who may do everything.").without_effect(),
];
