"""confluent-kafka changes users' SCRAM credentials, and sees them. usage: BOOTSTRAP"""

import sys

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from eventually import eventually

(bootstrap,) = sys.argv[1:]
admin = AdminClient({"bootstrap.servers": bootstrap})


def alter(*alterations):
    for future in admin.alter_user_scram_credentials(list(alterations)).values():
        future.result(30)


def iterations(user):
    try:
        described = admin.describe_user_scram_credentials([user])[user].result(30)
    except KafkaException as error:
        assert error.args[0].code() == KafkaError.RESOURCE_NOT_FOUND, error
        return {}
    return {info.mechanism: info.iterations for info in described.scram_credential_infos}


short, long = ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512
alter(
    UserScramCredentialUpsertion("ann", ScramCredentialInfo(short, 8192), b"secret"),
    UserScramCredentialUpsertion("ben", ScramCredentialInfo(long, 4096), b"secret"),
)
eventually(lambda: iterations("ann") == {short: 8192} and iterations("ben") == {long: 4096})
alter(UserScramCredentialUpsertion("ann", ScramCredentialInfo(long, 5000), b"other"))
eventually(lambda: iterations("ann") == {short: 8192, long: 5000})
alter(UserScramCredentialDeletion("ben", long))
eventually(lambda: iterations("ben") == {})
try:
    alter(UserScramCredentialDeletion("ben", long))
    sys.exit("what is not there cannot be deleted")
except KafkaException as error:
    assert error.args[0].code() == KafkaError.RESOURCE_NOT_FOUND, error
print("ok")
