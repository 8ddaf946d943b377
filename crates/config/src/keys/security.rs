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
    Key::idle(
        "connections.max.reauth.ms",
        Kind::Long,
        "After how long SASL clients must log in again; 0 means never.",
    )
    .default("0"),
    Key::idle(
        "delegation.token.expiry.check.interval.ms",
        Kind::Long,
        "How often expired delegation tokens are removed.",
    )
    .default("3600000"),
    Key::idle(
        "delegation.token.expiry.time.ms",
        Kind::Long,
        "How long a delegation token holds without renewal.",
    )
    .default("86400000"),
    Key::idle(
        "delegation.token.max.lifetime.ms",
        Kind::Long,
        "How long a delegation token holds at most.",
    )
    .default("604800000"),
    Key::idle(
        "delegation.token.secret.key",
        Kind::Password,
        "The secret that signs delegation tokens; the same on every node.",
    ),
    Key::idle(
        "principal.builder.class",
        Kind::Class,
        "A plugin that names the principal of a connection.",
    )
    .per_broker(),
    Key::idle("security.providers", Kind::Text, "Java security providers."),
    Key::idle(
        "ssl.allow.dn.changes",
        Kind::Boolean,
        "Whether a new certificate may have another distinguished name.",
    )
    .default("false"),
    Key::idle(
        "ssl.allow.san.changes",
        Kind::Boolean,
        "Whether a new certificate may have other alternative names.",
    )
    .default("false"),
    Key::idle("ssl.cipher.suites", Kind::List, "Which ciphers TLS may use; empty means any.")
        .default("")
        .per_broker(),
    Key::node("ssl.client.auth", Kind::Text, "Whether TLS clients must show a certificate.")
        .default("none")
        .bounds(Bounds::OneOf(&["required", "requested", "none"]))
        .without_effect()
        .per_broker(),
    Key::idle("ssl.enabled.protocols", Kind::List, "Which versions of TLS are served.")
        .default("TLSv1.2,TLSv1.3")
        .per_broker(),
    Key::idle(
        "ssl.endpoint.identification.algorithm",
        Kind::Text,
        "How a server's certificate is checked against its name.",
    )
    .default("https")
    .per_broker(),
    Key::idle("ssl.engine.factory.class", Kind::Class, "A plugin that makes TLS engines.")
        .per_broker(),
    Key::node("ssl.key.password", Kind::Password, "The password of the private key.")
        .without_effect()
        .per_broker(),
    Key::idle("ssl.keymanager.algorithm", Kind::Text, "Java's way to manage keys.")
        .default("SunX509")
        .per_broker(),
    Key::node(
        "ssl.keystore.certificate.chain",
        Kind::Password,
        "The node's certificate chain, in PEM.",
    )
    .without_effect()
    .per_broker(),
    Key::node("ssl.keystore.key", Kind::Password, "The node's private key, in PEM.")
        .without_effect()
        .per_broker(),
    Key::node("ssl.keystore.location", Kind::Text, "The file of the node's key.")
        .without_effect()
        .per_broker(),
    Key::node("ssl.keystore.password", Kind::Password, "The password of that file.")
        .without_effect()
        .per_broker(),
    Key::node("ssl.keystore.type", Kind::Text, "The form of that file.")
        .default("JKS")
        .without_effect()
        .per_broker(),
    Key::idle(
        "ssl.principal.mapping.rules",
        Kind::Text,
        "How certificates' names become principals.",
    )
    .default("DEFAULT"),
    Key::idle("ssl.protocol", Kind::Text, "The version of TLS to begin with.")
        .default("TLSv1.3")
        .per_broker(),
    Key::idle("ssl.provider", Kind::Text, "The Java provider of TLS.").per_broker(),
    Key::idle("ssl.secure.random.implementation", Kind::Text, "Java's random numbers for TLS.")
        .per_broker(),
    Key::idle("ssl.trustmanager.algorithm", Kind::Text, "Java's way to judge certificates.")
        .default("PKIX")
        .per_broker(),
    Key::node("ssl.truststore.certificates", Kind::Password, "The certificates to trust, in PEM.")
        .without_effect()
        .per_broker(),
    Key::node("ssl.truststore.location", Kind::Text, "The file of the certificates to trust.")
        .without_effect()
        .per_broker(),
    Key::node("ssl.truststore.password", Kind::Password, "The password of that file.")
        .without_effect()
        .per_broker(),
    Key::node("ssl.truststore.type", Kind::Text, "The form of that file.")
        .default("JKS")
        .without_effect()
        .per_broker(),
    Key::node("super.users", Kind::Text, "Who may do everything.").without_effect(),
];
