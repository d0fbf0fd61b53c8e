import { limits } from '../limits.ts';
import type { Role } from './binding.ts';
import { CredentialUnavailable, type Keys } from './keys.ts';
import { policyOf, type Scope } from './scope.ts';

/** Takes on a role: its keys reach what the scope names and nothing else, for a time. */
export async function assumeRole(
  reference: string,
  role: Role,
  keys: Keys,
  scope: Scope,
  product: string,
): Promise<Keys & { readonly expires: number }> {
  // It takes time to load, and few have roles.
  const { AssumeRoleCommand, STSClient } = await import('@aws-sdk/client-sts');
  const client = new STSClient({
    // All of it, or the library looks around on the machine.
    region: role.region,
    endpoint: role.endpoint,
    credentials: {
      accessKeyId: keys.keyId,
      secretAccessKey: keys.secretKey,
      ...(keys.sessionToken === null ? {} : { sessionToken: keys.sessionToken }),
    },
    useFipsEndpoint: false,
    useDualstackEndpoint: false,
    retryMode: 'standard',
    maxAttempts: limits.roleAttemptsMax,
    requestHandler: { connectionTimeout: limits.roleAnswerMs, requestTimeout: limits.roleAnswerMs },
  });
  const command = new AssumeRoleCommand({
    RoleArn: role.arn,
    RoleSessionName: `ambit.${product}`.slice(0, limits.roleSessionNameCharactersMax),
    DurationSeconds: role.seconds,
    Policy: policyOf(scope, role.arn),
    ...(role.externalId === null ? {} : { ExternalId: role.externalId }),
  });
  try {
    const { Credentials: given } = await client.send(command);
    const { AccessKeyId: keyId, SecretAccessKey: secretKey, SessionToken: sessionToken, Expiration } = given ?? {};
    if (keyId === undefined || secretKey === undefined || sessionToken === undefined || Expiration === undefined)
      throw new CredentialUnavailable(reference, 'cannot take on its role: the answer has no keys for a time');
    return { keyId, secretKey, sessionToken, expires: Expiration.getTime() };
  } catch (error) {
    if (error instanceof CredentialUnavailable) throw error;
    // The name of what went wrong: its message may quote what was sent.
    throw new CredentialUnavailable(reference, `cannot take on its role: ${(error as Error).name}`);
  } finally {
    client.destroy();
  }
}
