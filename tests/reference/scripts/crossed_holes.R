# Models by items with holes: lme4 (one error variance) and nlme (one per item), items random and fixed.
# Rscript crossed_holes.R ../cases   writes crossed_holes.csv and crossed_holes.json
suppressMessages({library(lme4); library(nlme); library(jsonlite)})
out <- commandArgs(TRUE)[1]
set.seed(17)
d <- expand.grid(model = sprintf("m%02d", 1:15), item = sprintf("b%d", 1:8))
i <- as.integer(d$model); j <- as.integer(d$item)
d$score <- round(rnorm(15, 0, .5)[i] + rnorm(8, 0, .8)[j] + rnorm(nrow(d)) * seq(.25, .9, length.out = 8)[j], 6)
d <- d[-sample(nrow(d), 40), ]
write.csv(d, file.path(out, "crossed_holes.csv"), row.names = FALSE, quote = FALSE)
d <- read.csv(file.path(out, "crossed_holes.csv"), stringsAsFactors = TRUE)
num <- function(v) unname(as.numeric(v))
# covariance of all differences with the first model, which no coding of the mean changes
against <- function(b, V) { k <- length(b); L <- cbind(-1, diag(k - 1)); V <- as.matrix(V)
  list(estimate = num(L %*% b), se = num(sqrt(diag(L %*% V %*% t(L))))) }
cases <- list()
add <- function(id, what, call, package, arguments, result)
  cases[[length(cases) + 1]] <<- list(id = id, what = what, r_function = call, package = package, arguments = arguments,
    data = list(file = "crossed_holes.csv"), result = result)
m <- lmer(score ~ 0 + model + (1 | item), d, control = lmerControl(optCtrl = list(rhoend = 1e-12, maxfun = 1e5)))
add("random_pooled", "items random, one error variance", "lmer", "lme4", list(item_effect = "random", errors = "pooled"),
  c(against(fixef(m), vcov(m)), list(mean = num(fixef(m)), between = num(VarCorr(m)$item), variance = rep(sigma(m)^2, 8))))
tight <- list(maxIter = 500, msMaxIter = 500, tolerance = 1e-12, msTol = 1e-14, opt = "nlminb")
sds <- function(w, s) { v <- coef(w, unconstrained = FALSE, allCoef = TRUE); num((s * v[levels(d$item)])^2) }
m <- lme(score ~ 0 + model, random = ~ 1 | item, weights = varIdent(form = ~ 1 | item), data = d,
  control = do.call(lmeControl, tight))
add("random_item", "items random, a variance per item", "lme", "nlme", list(item_effect = "random", errors = "item"),
  c(against(fixef(m), vcov(m)), list(mean = num(fixef(m)), between = num(getVarCov(m)),
    variance = sds(m$modelStruct$varStruct, m$sigma))))
contrasts(d$item) <- contr.sum(8)
fixed <- function(id, what, w, errors) {
  m <- gls(score ~ 0 + model + item, weights = w, data = d, control = glsControl(maxIter = 500, msMaxIter = 500, tolerance = 1e-12, msTol = 1e-14))
  k <- 1:15
  v <- if (is.null(w)) rep(m$sigma^2, 8) else sds(m$modelStruct$varStruct, m$sigma)
  add(id, what, "gls", "nlme", list(item_effect = "fixed", errors = errors),
    c(against(coef(m)[k], vcov(m)[k, k]), list(mean = num(coef(m)[k]), variance = v)))
}
fixed("fixed_pooled", "items fixed, one error variance", NULL, "pooled")
fixed("fixed_item", "items fixed, a variance per item", varIdent(form = ~ 1 | item), "item")
write_json(list(topic = "crossed_holes", versions = list(R = R.version.string, lme4 = as.character(packageVersion("lme4")),
  nlme = as.character(packageVersion("nlme"))), cases = cases), file.path(out, "crossed_holes.json"), digits = 12,
  auto_unbox = TRUE, pretty = TRUE)
