// fast-gateway as its documentation has it: a route's middleware checks the token, a hook puts the source's key on,
// and one line a request goes into a file. `settings.tokens` says how tokens are checked:
//   documented   express-jwt, the key as PEM
//   key          express-jwt, the key read once: as PEM it is read anew for each token, at twice the check's own cost
//   cache        fast-jwt with its cache
'use strict'

const { createPublicKey } = require('crypto')
const fs = require('fs')
const { createRequire } = require('module')
const installed = createRequire(process.cwd() + '/')
const gateway = installed('fast-gateway')

const settings = JSON.parse(process.env.BENCH_SETTINGS)
const lines = fs.createWriteStream(settings.log, { flags: 'a' })

function log (req, res, next) {
  const begun = process.hrtime.bigint()
  const { method, url } = req
  res.on('finish', () => {
    const took = (process.hrtime.bigint() - begun) / 1000n
    lines.write(`${new Date().toISOString()} ${method} ${url} ${res.statusCode} ${took}us\n`)
  })
  next()
}

function expressJwt (secret) {
  const { expressjwt } = installed('express-jwt')
  const { issuer, audience } = settings
  return expressjwt({ secret, algorithms: ['ES256'], issuer, audience })
}

function cached () {
  const { createVerifier } = installed('fast-jwt')
  const { key, issuer, audience } = settings
  const verify = createVerifier({ key, algorithms: ['ES256'], allowedIss: issuer, allowedAud: audience, cache: true })
  return (req, res, next) => {
    try {
      req.auth = verify((req.headers.authorization || '').slice('Bearer '.length))
    } catch (error) {
      res.statusCode = 401
      return res.end('{}')
    }
    return next()
  }
}

const checks = {
  documented: () => expressJwt(settings.key),
  key: () => expressJwt(createPublicKey(settings.key)),
  cache: cached
}

gateway({
  middlewares: [log],
  routes: [{
    prefix: '/api/person',
    prefixRewrite: '/api/person',
    pathRegex: '',
    methods: ['POST'],
    target: settings.source,
    disableQsOverwrite: true,
    middlewares: [checks[settings.tokens]()],
    hooks: {
      rewriteRequestHeaders (req, headers) {
        const { authorization, ...kept } = headers
        return { ...kept, 'x-api-key': settings.sourceKey }
      }
    }
  }]
}).start(settings.port, '127.0.0.1')
