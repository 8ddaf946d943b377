//! SASL logins. Ottla has none yet: the keys are taken and named at start; a listener that needs them is
//! refused.

use super::{Key, Kind};

/// Sorted by name.
pub(super) const KEYS: &[Key] = &[
    Key::idle("sasl.client.callback.handler.class", Kind::Class, "A plugin of SASL clients."),
    Key::node("sasl.enabled.mechanisms", Kind::List, "Which SASL mechanisms are served.")
        .default("GSSAPI")
        .without_effect()
        .per_broker(),
    Key::idle("sasl.jaas.config", Kind::Password, "SASL logins, in Java's form.").per_broker(),
    Key::idle("sasl.kerberos.kinit.cmd", Kind::Text, "Where Kerberos' kinit is.")
        .default("/usr/bin/kinit")
        .per_broker(),
    Key::idle(
        "sasl.kerberos.min.time.before.relogin",
        Kind::Long,
        "The least time between two Kerberos logins, in milliseconds.",
    )
    .default("60000")
    .per_broker(),
    Key::idle(
        "sasl.kerberos.principal.to.local.rules",
        Kind::List,
        "How Kerberos names become principals.",
    )
    .default("DEFAULT")
    .per_broker(),
    Key::idle(
        "sasl.kerberos.service.name",
        Kind::Text,
        "The Kerberos name that brokers run under.",
    )
    .per_broker(),
    Key::idle(
        "sasl.kerberos.ticket.renew.jitter",
        Kind::Double,
        "How much renewal times of Kerberos tickets vary.",
    )
    .default("0.05")
    .per_broker(),
    Key::idle(
        "sasl.kerberos.ticket.renew.window.factor",
        Kind::Double,
        "After which part of a Kerberos ticket's life it is renewed.",
    )
    .default("0.8")
    .per_broker(),
    Key::idle("sasl.login.callback.handler.class", Kind::Class, "A plugin of SASL logins."),
    Key::idle("sasl.login.class", Kind::Class, "A plugin that logs in."),
    Key::idle(
        "sasl.login.connect.timeout.ms",
        Kind::Int,
        "How long an OAuth provider may take to connect, in milliseconds.",
    ),
    Key::idle(
        "sasl.login.read.timeout.ms",
        Kind::Int,
        "How long an OAuth provider may take to answer, in milliseconds.",
    ),
    Key::idle(
        "sasl.login.refresh.buffer.seconds",
        Kind::Short,
        "How long before its end a login is refreshed at the latest.",
    )
    .default("300")
    .per_broker(),
    Key::idle(
        "sasl.login.refresh.min.period.seconds",
        Kind::Short,
        "The least time between two refreshes of a login.",
    )
    .default("60")
    .per_broker(),
    Key::idle(
        "sasl.login.refresh.window.factor",
        Kind::Double,
        "After which part of its life a login is refreshed.",
    )
    .default("0.8")
    .per_broker(),
    Key::idle(
        "sasl.login.refresh.window.jitter",
        Kind::Double,
        "How much refresh times of logins vary.",
    )
    .default("0.05")
    .per_broker(),
    Key::idle(
        "sasl.login.retry.backoff.max.ms",
        Kind::Long,
        "The longest pause between tries to log in, in milliseconds.",
    )
    .default("10000"),
    Key::idle(
        "sasl.login.retry.backoff.ms",
        Kind::Long,
        "The first pause between tries to log in, in milliseconds.",
    )
    .default("100"),
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
    .without_effect()
    .per_broker(),
    Key::idle(
        "sasl.oauthbearer.assertion.algorithm",
        Kind::Text,
        "How OAuth assertions are signed.",
    )
    .default("RS256"),
    Key::idle(
        "sasl.oauthbearer.assertion.claim.aud",
        Kind::Text,
        "The audience in OAuth assertions.",
    ),
    Key::idle(
        "sasl.oauthbearer.assertion.claim.exp.seconds",
        Kind::Int,
        "How long OAuth assertions hold, in seconds.",
    )
    .default("300"),
    Key::idle(
        "sasl.oauthbearer.assertion.claim.iss",
        Kind::Text,
        "The issuer in OAuth assertions.",
    ),
    Key::idle(
        "sasl.oauthbearer.assertion.claim.jti.include",
        Kind::Boolean,
        "Whether OAuth assertions carry an id of their own.",
    )
    .default("false"),
    Key::idle(
        "sasl.oauthbearer.assertion.claim.nbf.seconds",
        Kind::Int,
        "How far back OAuth assertions begin to hold, in seconds.",
    )
    .default("60"),
    Key::idle(
        "sasl.oauthbearer.assertion.claim.sub",
        Kind::Text,
        "The subject in OAuth assertions.",
    ),
    Key::idle(
        "sasl.oauthbearer.assertion.file",
        Kind::Text,
        "A file with a ready OAuth assertion.",
    ),
    Key::idle(
        "sasl.oauthbearer.assertion.private.key.file",
        Kind::Text,
        "The key that signs OAuth assertions.",
    ),
    Key::idle(
        "sasl.oauthbearer.assertion.private.key.passphrase",
        Kind::Password,
        "The password of that key.",
    ),
    Key::idle(
        "sasl.oauthbearer.assertion.template.file",
        Kind::Text,
        "A template of OAuth assertions.",
    ),
    Key::idle(
        "sasl.oauthbearer.client.credentials.client.id",
        Kind::Text,
        "The client id for OAuth's client credentials.",
    ),
    Key::idle(
        "sasl.oauthbearer.client.credentials.client.secret",
        Kind::Password,
        "The secret for OAuth's client credentials.",
    ),
    Key::idle(
        "sasl.oauthbearer.clock.skew.seconds",
        Kind::Int,
        "How far the clocks of OAuth parties may differ, in seconds.",
    )
    .default("30"),
    Key::idle(
        "sasl.oauthbearer.expected.audience",
        Kind::List,
        "Audiences that OAuth tokens must name.",
    )
    .default(""),
    Key::idle(
        "sasl.oauthbearer.expected.issuer",
        Kind::Text,
        "The issuer that OAuth tokens must name.",
    ),
    Key::idle(
        "sasl.oauthbearer.jwks.endpoint.refresh.ms",
        Kind::Long,
        "How often OAuth keys are fetched, in milliseconds.",
    )
    .default("3600000"),
    Key::idle(
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms",
        Kind::Long,
        "The longest pause between tries to fetch OAuth keys.",
    )
    .default("10000"),
    Key::idle(
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms",
        Kind::Long,
        "The first pause between tries to fetch OAuth keys.",
    )
    .default("100"),
    Key::idle("sasl.oauthbearer.jwks.endpoint.url", Kind::Text, "Where OAuth keys are."),
    Key::idle(
        "sasl.oauthbearer.jwt.retriever.class",
        Kind::Class,
        "A plugin that gets OAuth tokens.",
    ),
    Key::idle(
        "sasl.oauthbearer.jwt.validator.class",
        Kind::Class,
        "A plugin that judges OAuth tokens.",
    ),
    Key::idle(
        "sasl.oauthbearer.scope",
        Kind::Text,
        "The scope asked for with OAuth's client credentials.",
    ),
    Key::idle(
        "sasl.oauthbearer.scope.claim.name",
        Kind::Text,
        "The claim of OAuth tokens that holds their scope.",
    )
    .default("scope"),
    Key::idle(
        "sasl.oauthbearer.sub.claim.name",
        Kind::Text,
        "The claim of OAuth tokens that holds their subject.",
    )
    .default("sub"),
    Key::idle("sasl.oauthbearer.token.endpoint.url", Kind::Text, "Where OAuth tokens are got."),
    Key::idle("sasl.server.callback.handler.class", Kind::Class, "A plugin of SASL servers."),
    Key::idle(
        "sasl.server.max.receive.size",
        Kind::Int,
        "The most bytes of a SASL message before login.",
    )
    .default("524288"),
];
