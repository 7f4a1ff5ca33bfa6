# Mixed models of one ragged design by lme4, lmerTest, pbkrtest and emmeans.
# Rscript mixed_designs.R ../cases   writes mixed_designs.csv and mixed_designs.json
suppressMessages({library(lme4); library(lmerTest); library(pbkrtest); library(emmeans); library(jsonlite)})
out <- commandArgs(TRUE)[1]
emm_options(lmerTest.limit = 1e5, pbkrtest.limit = 1e5, msg.interaction = FALSE)
set.seed(42)
d <- expand.grid(model = paste0("m", 0:3), roi = paste0("r", 0:5), subject = paste0("s", 0:8), rep = 1:2)
d$x <- round(rnorm(nrow(d)), 3)
d$lev <- as.numeric(sub("r", "", d$roi)) / 5
d$stream <- c("early", "early", "mid", "mid", "late", "late")[as.integer(factor(d$roi))]
d$lab <- ifelse(as.integer(factor(d$subject)) <= 4, "A", "B")
us <- rnorm(9, 0, .4); ul <- rnorm(9, 0, .3); ur <- rnorm(6, 0, .3)
s <- as.integer(factor(d$subject))
d$score <- round(.2 * as.integer(factor(d$model)) + .1 * d$x + us[s] + ul[s] * d$lev + ur[as.integer(factor(d$roi))] +
                 rnorm(nrow(d), 0, .5), 6)
d$w <- round(runif(nrow(d), .5, 2), 3)
d$pos <- round(exp(d$score), 6)
d <- d[-sample(nrow(d), 130), ]
d <- d[!(d$model == "m1" & d$roi == "r4"), ]
d$rep <- NULL
write.csv(d, file.path(out, "mixed_designs.csv"), row.names = FALSE, quote = FALSE)
d <- read.csv(file.path(out, "mixed_designs.csv"))
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5), check.conv.singular = "ignore")
cases <- list()
add <- function(id, what, call, package, arguments, result)
  cases[[length(cases) + 1]] <<- list(id = id, what = what, r_function = call, package = package,
    arguments = arguments, data = list(file = "mixed_designs.csv"), result = result)
num <- function(v) unname(as.numeric(v))
tests <- function(a) data.frame(term = rownames(a), num_df = num(a$NumDF), den_df = num(a$DenDF), F = num(a[["F value"]]),
                                p = num(a[["Pr(>F)"]]))
fit <- function(id, what, formula, REML = TRUE, weighted = FALSE) {
  environment(formula) <- globalenv()
  m <- if (weighted) lmer(formula, d, REML = REML, control = control, weights = w) else
    lmer(formula, d, REML = REML, control = control)
  k <- coef(summary(m))
  r <- list(loglik = num(logLik(m)), aic = AIC(m), bic = BIC(m), singular = isSingular(m), sigma = sigma(m),
    coefficients = data.frame(term = rownames(k), estimate = num(k[, 1]), se = num(k[, 2]), df = num(k[, 3])),
    components = as.data.frame(VarCorr(m))[, c("grp", "var1", "var2", "vcov")],
    type_three = tests(as.data.frame(anova(m))))
  if (REML && !weighted) { # pbkrtest leaves weights out
    k <- coef(summary(m, ddf = "Kenward-Roger"))
    r$kenward_roger <- data.frame(term = rownames(k), se = num(k[, 2]), df = num(k[, 3]))
    r$type_three_kr <- tests(as.data.frame(anova(m, ddf = "Kenward-Roger")))
  }
  b <- as.data.frame(ranef(m, condVar = TRUE))
  r$effects <- data.frame(effect = as.character(b$term), value = b$condval, sd = b$condsd)
  a <- as.data.frame(ranova(m))
  r$ranova <- data.frame(term = rownames(a), n_parameter = a$npar, loglik = a$logLik)[-1, ]
  add(id, what, "lmer, anova, ranova, ranef", "lme4, lmerTest, pbkrtest",
      list(formula = paste(deparse(formula, 500), collapse = ""), REML = REML, weights = if (weighted) "w" else NULL), r)
  m
}
fit("correlated_slope", "Random intercept and slope, correlated", score ~ model + lev + (1 + lev | subject) + (1 | roi))
fit("uncorrelated_slope", "Random intercept and slope, uncorrelated", score ~ model * lev + (1 + lev || subject) + (1 | roi))
fit("interaction_grouping", "Crossed groupings and their combination",
    score ~ model * x + (1 | subject) + (1 | roi) + (1 | roi:subject))
fit("nested", "Nested groupings, given as a:b and a/b", score ~ model + lab + (1 | lab:subject) + (1 | roi/model))
fit("weights", "Prior weights", score ~ model + x + (1 | subject) + (1 | roi), weighted = TRUE)
fit("ml", "Ordinary likelihood", score ~ model * lab + (1 | subject) + (1 | roi), REML = FALSE)
fit("log_outcome", "Logarithm of the outcome", log(pos) ~ model + (1 | subject) + (1 | roi))
fit("three_way", "Three-way interaction, two terms of one grouping, singular",
    score ~ lab * x * lev + (1 + x | subject) + (0 + lev | subject))
fit("effects_per_level", "Effects per level of a factor, singular", score ~ model + (0 + stream | subject))
fit("polynomial", "Orthogonal polynomial of a covariate", score ~ model + poly(lev, 2) + (1 | subject))
fit("singular_slope", "A slope without variance", score ~ model + (1 + x | roi) + (1 | subject))
fit("no_intercept", "Cell means", score ~ 0 + model + (1 | subject) + (1 | roi))
fit("factor_slope", "Slope over a factor, singular", score ~ stream + (1 + lab | roi) + (1 | subject))

means_formula <- score ~ model * lab + x + (1 | subject) + (1 | roi)
m <- lmer(means_formula, d, control = control)
table <- function(e) { t <- as.data.frame(e); names(t) <- sub("^(asymp|lower|upper)\\.(L|U)?CL$", "\\1\\2", names(t)); t }
for (ddf in c("satterthwaite", "kenward-roger", "asymptotic")) {
  e <- emmeans(m, "model", by = "lab", lmer.df = ddf)
  put <- function(name, what, t, ...) add(paste(name, ddf, sep = "_"), what, "emmeans, contrast, test", "emmeans",
    list(formula = paste(deparse(means_formula, 500), collapse = ""), df = ddf, ...), list(table = table(t)))
  for (a in c("tukey", "scheffe", "sidak", "bonferroni", "holm"))
    put(paste0("pairs_", a), "All pairs within a second factor", summary(pairs(e, adjust = a), infer = c(TRUE, TRUE)),
        contrast = "pairwise", adjust = a)
  put("control_dunnettx", "Each against the third",
      summary(contrast(e, "trt.vs.ctrl", ref = 3, adjust = "dunnettx"), infer = c(TRUE, TRUE)), contrast = "trt.vs.ctrl",
      adjust = "dunnettx", ref = 2)
  for (side in c("greater", "less")) {
    set.seed(1)
    put(paste0("control_mvt_", side), "One-sided against the first, statistics of both signs",
        summary(contrast(e, "trt.vs.ctrl", ref = 1, adjust = "mvt"), side = c(greater = ">", less = "<")[[side]],
                infer = c(FALSE, TRUE)), contrast = "trt.vs.ctrl", adjust = "mvt", ref = 0, side = side)
  }
  put("polynomial", "Polynomial contrasts", contrast(e, "poly"), contrast = "poly", adjust = "none")
  put("equivalence", "Two one-sided tests", test(pairs(e), delta = .3, adjust = "none"), contrast = "pairwise",
      adjust = "none", delta = .3, test = "equivalence")
  put("noninferiority", "One-sided, Holm", test(pairs(e), delta = .3, side = "noninferiority", adjust = "holm"),
      contrast = "pairwise", adjust = "holm", delta = .3, test = "noninferiority")
}
# residual variances by group, by nlme
suppressMessages(library(nlme))
m <- lme(score ~ model + x, random = ~1 | subject, weights = varIdent(form = ~1 | stream), data = d,
         control = lmeControl(opt = "optim", reltol = 1e-12, msTol = 1e-12))
ratio <- coef(m$modelStruct$varStruct, uncons = FALSE)
add("residual_groups", "Residual variances by group", "lme with varIdent", "nlme",
    list(formula = "score ~ model + x + (1 | subject)", residual_by = "stream"),
    list(loglik = num(logLik(m)), estimate = num(fixef(m)), se = num(sqrt(diag(vcov(m)))),
         sigma = as.list(c(early = m$sigma, ratio * m$sigma))))

# two members per row: their indicators added, in the modular functions of lme4
set.seed(5)
p <- t(combn(8, 2)); p <- rbind(p, p[sample(28, 20), ])
pairs_of <- data.frame(source = paste0("p", p[, 1]), target = paste0("p", p[, 2]))
u <- rnorm(8, 0, .5)
pairs_of$g <- round(rnorm(nrow(p)), 4)
pairs_of$score <- round(u[p[, 1]] + u[p[, 2]] + .3 * pairs_of$g + rnorm(nrow(p), 0, .3), 6)
write.csv(pairs_of, file.path(out, "mixed_pairs.csv"), row.names = FALSE, quote = FALSE)
pairs_of$member <- factor(rep(paste0("p", 1:8), length.out = nrow(p)))
parts <- lFormula(score ~ g + (1 | member), pairs_of, REML = TRUE)
Zt <- Matrix::Matrix(0, 8, nrow(p), sparse = TRUE)
for (i in seq_len(nrow(p))) { Zt[p[i, 1], i] <- 1; Zt[p[i, 2], i] <- 1 }
parts$reTrms$Zt <- as(Zt, "CsparseMatrix")
devfun <- do.call(mkLmerDevfun, parts)
m <- mkMerMod(environment(devfun), optimizeLmer(devfun, optimizer = "bobyqa", control = list(rhoend = 1e-10)),
              parts$reTrms, fr = parts$fr)
add("two_members", "Pairs of members of one population", "mkLmerDevfun with the sum of two indicators", "lme4",
    list(formula = "score ~ g + (1 | mm(source, target))"),
    list(loglik = num(logLik(m)), estimate = num(fixef(m)), se = num(sqrt(diag(as.matrix(vcov(m))))),
         components = num(as.data.frame(VarCorr(m))$vcov), effects = num(getME(m, "b"))))
cases[[length(cases)]]$data$file <- "mixed_pairs.csv"

versions <- lapply(c("lme4", "lmerTest", "pbkrtest", "emmeans", "nlme"), function(p) as.character(packageVersion(p)))
names(versions) <- c("lme4", "lmerTest", "pbkrtest", "emmeans", "nlme")
versions$R <- paste(R.version$major, R.version$minor, sep = ".")
writeLines(toJSON(list(topic = "mixed_designs",
  about = "Mixed models of one ragged design with an empty cell, and contrasts of its marginal means",
  versions = versions, cases = cases), digits = NA, auto_unbox = TRUE, dataframe = "rows", null = "null", na = "null",
  pretty = 1), file.path(out, "mixed_designs.json"))
