# Standardised effects, offsets, influence, prediction variances and sphericity, by lme4, emmeans and base R.
# Rscript mixed_more.R ../cases   reads mixed_designs.csv, writes mixed_more.json
suppressMessages({library(lme4); library(lmerTest); library(emmeans); library(jsonlite)})
out <- commandArgs(TRUE)[1]
emm_options(lmer.df = "satterthwaite", lmerTest.limit = 1e5, pbkrtest.limit = 1e5, msg.interaction = FALSE)
d <- read.csv(file.path(out, "mixed_designs.csv"))
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5), check.conv.singular = "ignore")
cases <- list()
add <- function(id, what, call, package, arguments, result, file = "mixed_designs.csv")
  cases[[length(cases) + 1]] <<- list(id = id, what = what, r_function = call, package = package,
    arguments = arguments, data = list(file = file), result = result)
num <- function(v) unname(as.numeric(v))
text <- function(f) paste(deparse(f, 500), collapse = "")

# standardised contrasts: sigma and its degrees of freedom as stated
f <- score ~ model * lab + x + (1 | subject) + (1 | roi)
m <- lmer(f, d, control = control)
v <- as.data.frame(VarCorr(m))$vcov
choices <- list(residual = c(sigma(m), nrow(d) - length(fixef(m))), total = c(sqrt(sum(v)), 12.5))
for (name in names(choices)) for (by in c("none", "lab")) {
  e <- if (by == "none") emmeans(m, "model") else emmeans(m, "model", by = "lab")
  s <- choices[[name]]
  t <- as.data.frame(eff_size(e, sigma = s[1], edf = s[2]))
  names(t) <- sub("^(asymp|lower|upper)\\.(L|U)?CL$", "\\1\\2", names(t))
  add(paste("effect_size", name, by, sep = "_"), "Standardised pairwise differences", "eff_size", "emmeans",
      list(formula = text(f), by = if (by == "none") NULL else by, sigma = s[1], edf = s[2], scale = name), list(table = t))
}

# offset: at its mean in the grid
f <- score ~ model * lab + offset(x) + (1 | subject)
m <- lmer(f, d, control = control)
t <- as.data.frame(emmeans(m, "model", by = "lab"))
add("offset_means", "Means with an offset at its mean", "emmeans with offset", "emmeans", list(formula = text(f)),
    list(table = data.frame(model = t$model, lab = t$lab, emmean = t$emmean, SE = t$SE, df = t$df),
         pairs = as.data.frame(pairs(emmeans(m, "model"), adjust = "none"))))

# influence of subjects
f <- score ~ model + x + (1 | subject) + (1 | roi)
m <- lme4::lmer(f, d, control = control)
i <- influence(m, "subject")
V <- as.matrix(vcov(m)); change <- dfbeta(i)
add("influence", "Fits without each subject", "influence.merMod", "lme4", list(formula = text(f), group = "subject"),
    list(level = rownames(change), term = colnames(change),
         estimate = unname(split(i[["fixed.effects[-subject]"]], row(i[["fixed.effects[-subject]"]]))),
         dfbetas = unname(split(change / rep(sqrt(diag(V)), each = nrow(change)), row(change))),
         cooks = num(apply(change, 1, function(b) b %*% solve(V, b) / length(b)))))

# prediction error variances: Henderson's equations, dense
henderson <- function(f, new, known) {
  m <- lme4::lmer(f, d, control = control)
  X <- getME(m, "X"); Z <- as.matrix(getME(m, "Z")); L <- as.matrix(getME(m, "Lambda")); s2 <- sigma(m)^2
  ZL <- Z %*% L
  C <- rbind(cbind(crossprod(X), crossprod(X, ZL)), cbind(crossprod(ZL, X), crossprod(ZL) + diag(ncol(ZL))))
  inverse <- solve(C) * s2
  terms_new <- delete.response(terms(m, fixed.only = TRUE))
  used <- Filter(function(v) is.character(d[[v]]), all.vars(terms_new))
  Xn <- model.matrix(terms_new, new, xlev = lapply(setNames(d[used], used), function(v) sort(unique(v))))
  parts <- lFormula(f, rbind(cbind(d[, all.vars(f)], id = "old"), cbind(new[, all.vars(f)], id = "new")), control = lmerControl(check.nobs.vs.nlev = "ignore"))
  Zt <- as.matrix(parts$reTrms$Zt)
  at <- (nrow(d) + 1):(nrow(d) + nrow(new))
  # columns of levels that the fit has not seen come last or between: matched by name
  names_of <- function(fl, cnms) unlist(lapply(names(cnms), function(g) paste(g, rep(levels(fl[[g]]), each = length(cnms[[g]])), cnms[[g]])))
  mine <- names_of(getME(m, "flist"), m@cnms); theirs <- names_of(parts$reTrms$flist, parts$reTrms$cnms)
  Zn <- t(Zt[, at, drop = FALSE])[, match(mine, theirs), drop = FALSE]
  A <- cbind(Xn, Zn %*% L)
  # levels drawn anew: their own variance
  extra <- numeric(nrow(new)); vc <- VarCorr(m)
  for (k in setdiff(theirs, mine)) {
    g <- strsplit(k, " ")[[1]][1]
    own <- which(startsWith(theirs, paste(g, strsplit(k, " ")[[1]][2], "")))
    if (k != theirs[own[1]]) next
    W <- t(Zt[own, at, drop = FALSE])
    extra <- extra + rowSums((W %*% vc[[g]]) * W)
  }
  b <- c(fixef(m), as.vector(getME(m, "u")))
  data.frame(estimate = num(A %*% b), se_mean = sqrt(rowSums((A %*% inverse) * A) + extra),
             se_new = sqrt(rowSums((A %*% inverse) * A) + extra + s2))
}
new <- d[c(1, 40, 90, 150), ]
new$score <- 0
other <- new; other$subject <- c("s0", "s99", "s0", "s99"); other$roi <- c("r1", "r1", "r99", "r99")
both <- rbind(new, other)
for (k in 1:3) {
  f <- list(score ~ model + x + (1 | subject) + (1 | roi), score ~ model + lev + (1 + lev | subject) + (1 | roi),
            score ~ model + x + (1 | subject) + (1 | roi:subject))[[k]]
  rows <- if (k == 3) new else both
  add(paste0("prediction_", k), "Prediction of rows of known and of new levels", "Henderson's equations", "lme4",
      list(formula = text(f), rows = rows[, c("model", "x", "lev", "subject", "roi")]), list(table = henderson(f, rows)))
}

# sphericity of repeated measures
set.seed(3)
for (k in 1:3) {
  n <- c(8, 12, 10)[k]; p <- c(3, 4, 6)[k]
  Y <- round(outer(rnorm(n), rep(1, p)) + matrix(rnorm(n * p), n) %*% diag(seq(.3, 2, length.out = p)) +
             outer(rep(1, n), seq(0, 1, length.out = p)), 3)
  fit <- lm(Y ~ 1)
  a <- anova(fit, X = ~1, test = "Spherical", idata = data.frame(level = factor(1:p)))
  # of orthonormal contrasts: with X = ~1 R 4.2's second-order term has the number of levels where that of contrasts belongs
  w <- mauchly.test(lm(Y %*% (contr.helmert(p) %*% diag(1 / sqrt(colSums(contr.helmert(p)^2)))) ~ 1))
  gg <- as.numeric(sub(".*: *", "", grep("Greenhouse", attr(a, "heading"), value = TRUE)))
  P <- diag(p) - 1 / p; S <- P %*% cov(Y) %*% P
  e <- sum(diag(S))^2 / ((p - 1) * sum(S^2))
  hf <- (n * (p - 1) * e - 2) / ((p - 1) * (n - 1 - (p - 1) * e))
  add(paste0("sphericity_", k), "Repeated measures of one factor", "anova.mlm, mauchly.test", "stats",
      list(), list(F = a[["F"]][1], num_df = a[["num Df"]][1], den_df = a[["den Df"]][1], p = a[["Pr(>F)"]][1],
      p_gg = a[["G-G Pr"]][1], p_hf = a[["H-F Pr"]][1], epsilon_gg = e, printed_gg = gg[1], epsilon_hf = hf, mauchly = num(w$statistic), p_mauchly = w$p.value,
      values = split(Y, row(Y))), file = NULL)
}
versions <- lapply(c("lme4", "lmerTest", "emmeans"), function(p) as.character(packageVersion(p)))
names(versions) <- c("lme4", "lmerTest", "emmeans")
versions$R <- paste(R.version$major, R.version$minor, sep = ".")
writeLines(toJSON(list(topic = "mixed_more",
  about = "Standardised effects, offsets, influence, prediction variances, sphericity",
  versions = versions, cases = cases), digits = NA, auto_unbox = TRUE, dataframe = "rows", null = "null", na = "null",
  pretty = 1), file.path(out, "mixed_more.json"))
