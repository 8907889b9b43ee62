{{/* Names and labels, as Helm's own starter chart has them. */}}
{{- define "berth.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "berth.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "berth.selectorLabels" -}}
app.kubernetes.io/name: {{ include "berth.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "berth.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "berth.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "berth.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "berth.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "berth.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* Where the image runs. */}}
{{- define "berth.machine" -}}
kubernetes.io/arch: amd64
kubernetes.io/os: linux
{{- end }}

{{/* Where Berth is wanted, and its image runs. */}}
{{- define "berth.nodeSelector" -}}
{{- toYaml (merge (include "berth.machine" . | fromYaml) .Values.nodeSelector) }}
{{- end }}

{{/* What the installer reads: deploy/node/settings.ts. */}}
{{- define "berth.settings" -}}
{{- $config := deepCopy .Values.config }}
{{- with .Values.monitoring.listen }}
{{- $metrics := default dict $config.metrics }}
{{- if and $metrics.listen (ne $metrics.listen .) }}
{{- fail (printf "monitoring.listen is %s and config.metrics.listen is %s: one of them has to go" . $metrics.listen) }}
{{- end }}
{{- $_ := set $config "metrics" (merge (dict "listen" .) $metrics) }}
{{- end }}
{{- dict "config" $config "cni" .Values.cni "crictl" .Values.crictl "wait" .Values.wait "kubelet" .Values.kubelet | toPrettyJson }}
{{- end }}

{{/* The port of an address that the cluster reaches; empty for none, and for one of the loopback. */}}
{{- define "berth.reachedPort" -}}
{{- if and . (not (regexMatch "^(127\\.|localhost|\\[::1\\])" .)) }}
{{- regexFind "[0-9]+$" . }}
{{- end }}
{{- end }}

{{/* The port of the metrics where the cluster reaches them; empty where it does not. */}}
{{- define "berth.metricsPort" -}}
{{- include "berth.reachedPort" (default (dig "metrics" "listen" "" .Values.config) .Values.monitoring.listen) }}
{{- end }}

{{/* Where the node's kubelet finds the agent's health: what listens everywhere is on the loopback, too. */}}
{{- define "berth.agentHost" -}}
{{- $host := regexReplaceAll ":[0-9]+$" .Values.monitoring.agentListen "" | trimPrefix "[" | trimSuffix "]" }}
{{- get (dict "0.0.0.0" "127.0.0.1" "::" "::1") $host | default $host }}
{{- end }}

{{- define "berth.monitored" -}}
{{- if not (include "berth.metricsPort" .) }}
{{- fail "monitoring needs metrics that Prometheus reaches: set monitoring.listen, such as 0.0.0.0:9464" }}
{{- end }}
{{- end }}

{{/* The daemon's socket, and the directory that the agent sees of the node. */}}
{{- define "berth.socket" -}}
{{- $listen := dig "cri" "listen" "unix:///run/berth/berth.sock" .Values.config }}
{{- regexReplaceAll "^unix:(//)?" $listen "" }}
{{- end }}
