import type { JWTPayload } from 'jose';

/** How a product's tokens look, from its documentation, and the settings with which they are accepted. */
export interface Product {
  name: string;
  /** Path of the issuer's name. */
  path: string;
  settings: Readonly<Record<string, string>>;
  /** The token that is sent to an API; `iss`, `iat` and `exp` are added. It grants `pictures:write` and nothing else of ours. */
  token: JWTPayload;
  /** The subject that identifies the user. */
  subject: string;
  /** Claims that make the token one for another audience. */
  otherAudience: JWTPayload;
  /** Claims that take its scopes away; undefined if the product has none. */
  withoutScope?: JWTPayload;
  /** The ID token of the same sign-in; undefined if the product has no other token. */
  idToken?: JWTPayload;
}

const uuid = '8f4e0f6c-5f0b-4c6e-9f0d-1d2c3b4a5e6f';
const cognitoClient = '1example23456789';
const entraApi = 'f2a76e0d-5ab1-4c2a-90d0-6c7f0b5b1a10';
const entraClient = '0bd7a7e1-8a8e-4d0f-8a1e-7bd2b8b2a001';
const entraTenant = '72f988bf-86f1-41af-91ab-2d7cd011db47';
const oktaClient = '0oa1gjh63g214q0Hq0g4';
const googleClient = '1234987819200.apps.googleusercontent.com';
const person = { email: 'ada@example.com', email_verified: true, name: 'Ada Lovelace' };

const entra = {
  aud: entraApi,
  azp: entraClient,
  azpacr: '0',
  name: 'Ada',
  oid: uuid,
  preferred_username: 'ada@contoso.com',
  rh: '0.AX0A',
  sub: 'HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ',
  tid: entraTenant,
  uti: 'uti',
  ver: '2.0',
};
const okta = {
  ver: 1,
  jti: 'AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE',
  aud: 'api://default',
  cid: oktaClient,
  uid: '00ujmkLgagxeRrAg20g3',
  scp: ['openid', 'pictures:write'],
  sub: 'ada@example.com',
};
const oktaIdToken = {
  ver: 1,
  aud: oktaClient,
  sub: okta.uid,
  idp: '00o',
  amr: ['pwd'],
  nonce: 'n',
  at_hash: 'h',
  ...person,
};

export const products: readonly Product[] = [
  {
    name: 'Amazon Cognito',
    path: '/us-east-1_Example',
    settings: {
      AUTH_AUDIENCE: `another,${cognitoClient}`,
      AUTH_AUDIENCE_CLAIM: 'client_id',
      AUTH_SCOPE_PREFIX: 'server/',
      AUTH_REQUIRED_CLAIMS: 'token_use=access',
    },
    token: {
      sub: uuid,
      'cognito:groups': ['owners'],
      client_id: cognitoClient,
      origin_jti: 'o',
      event_id: 'e',
      token_use: 'access',
      scope: 'openid server/pictures:write other/rpc:call',
      username: 'ada',
      jti: 'j',
    },
    subject: uuid,
    otherAudience: { client_id: 'anotherclient' },
    withoutScope: { scope: 'openid pictures:write other/pictures:write' },
    idToken: { sub: uuid, aud: cognitoClient, token_use: 'id', 'cognito:username': 'ada', ...person },
  },
  {
    name: 'Auth0',
    path: '/auth0/',
    settings: { AUTH_AUDIENCE: 'https://api.example.com', AUTH_SCOPE_CLAIM: 'permissions' },
    token: {
      sub: 'auth0|65f1c0ffee',
      azp: 'my_client_id',
      scope: 'openid profile',
      permissions: ['pictures:write'],
      aud: ['https://api.example.com', 'https://tenant.eu.auth0.com/userinfo'],
    },
    subject: 'auth0|65f1c0ffee',
    otherAudience: { aud: ['https://other.example.com', 'https://tenant.eu.auth0.com/userinfo'] },
    withoutScope: { permissions: [] },
    idToken: { sub: 'auth0|65f1c0ffee', aud: 'my_client_id', nonce: 'n', sid: 's', ...person },
  },
  {
    name: 'Keycloak',
    path: '/realms/warren',
    settings: {
      AUTH_AUDIENCE: 'warren-page',
      AUTH_AUDIENCE_CLAIM: 'azp',
      AUTH_REQUIRED_CLAIMS: 'typ=Bearer',
    },
    token: {
      sub: uuid,
      typ: 'Bearer',
      azp: 'warren-page',
      aud: 'account',
      sid: 's',
      acr: '1',
      jti: 'j',
      realm_access: { roles: ['offline_access'] },
      scope: 'openid email profile pictures:write',
      ...person,
    },
    subject: uuid,
    otherAudience: { azp: 'another-client' },
    withoutScope: { scope: 'openid email profile' },
    idToken: { sub: uuid, typ: 'ID', aud: 'warren-page', azp: 'warren-page', sid: 's', acr: '1', ...person },
  },
  {
    name: 'Microsoft Entra ID',
    path: `/${entraTenant}/v2.0`,
    settings: {
      AUTH_AUDIENCE: `${entraApi},api://warren`,
      AUTH_SCOPE_CLAIM: 'scp,roles',
      AUTH_SUBJECT_CLAIM: 'oid',
      AUTH_REQUIRED_CLAIMS: `tid=${entraTenant}`,
    },
    token: { ...entra, scp: 'pictures:write profile' },
    subject: uuid,
    otherAudience: { aud: '00000003-0000-0000-c000-000000000000' },
    withoutScope: { scp: 'profile' },
    idToken: { ...entra, aud: entraClient, nonce: 'n' },
  },
  {
    name: 'Microsoft Entra ID, for a program',
    path: `/${entraTenant}/v2.0`,
    settings: {
      AUTH_AUDIENCE: `${entraApi},api://warren`,
      AUTH_SCOPE_CLAIM: 'scp,roles',
      AUTH_SUBJECT_CLAIM: 'oid',
    },
    token: { ...entra, aud: 'api://warren', idtyp: 'app', roles: ['pictures:write'] },
    subject: uuid,
    otherAudience: { aud: 'api://other' },
    withoutScope: { roles: ['queues:read'] },
  },
  {
    name: 'Okta',
    path: '/oauth2/default',
    settings: { AUTH_AUDIENCE: 'api://default', AUTH_SCOPE_CLAIM: 'scp', AUTH_SUBJECT_CLAIM: 'uid' },
    token: okta,
    subject: okta.uid,
    otherAudience: { aud: 'api://other' },
    withoutScope: { scp: ['openid'] },
    idToken: oktaIdToken,
  },
  {
    name: 'Okta, by client',
    path: '/oauth2/default',
    settings: { AUTH_AUDIENCE: oktaClient, AUTH_AUDIENCE_CLAIM: 'cid', AUTH_SCOPE_CLAIM: 'scp' },
    token: okta,
    subject: okta.sub,
    otherAudience: { cid: '0oa9other' },
    withoutScope: { scp: ['openid'] },
    idToken: oktaIdToken,
  },
  {
    name: 'Google',
    path: '',
    settings: {
      AUTH_AUDIENCE: googleClient,
      AUTH_DEFAULT_SCOPES: 'pictures:write',
      AUTH_REQUIRED_CLAIMS: 'hd=example.com',
    },
    token: {
      sub: '110169484474386276334',
      azp: googleClient,
      aud: googleClient,
      hd: 'example.com',
      nonce: 'n',
      at_hash: 'HK6E_P6Dh8Y93mRNtsDB1Q',
      ...person,
    },
    subject: '110169484474386276334',
    otherAudience: { aud: '999.apps.googleusercontent.com' },
  },
];
