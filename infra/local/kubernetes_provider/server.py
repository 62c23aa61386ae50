"""The provider's gRPC service: from the engine's messages to operations, and back."""

# ruff: noqa: N802 - gRPC names its methods

import json
import os
import secrets
import threading
from dataclasses import dataclass

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from infra.local.kubernetes_provider import VERSION
from infra.local.kubernetes_provider.client import ApiError, Cluster
from infra.local.kubernetes_provider.configuration_diff import configuration_diff
from infra.local.kubernetes_provider.diff import object_diff
from infra.local.kubernetes_provider.kubeconfig import Settings, Unreachable, load, settings_from
from infra.local.kubernetes_provider.log import Log, StatusTeller
from infra.local.kubernetes_provider.manifest import (
    INITIAL_API_VERSION,
    from_checkpoint,
    id_of,
    said,
    text_at,
)
from infra.local.kubernetes_provider.operations import (
    Doing,
    Refused,
    checked,
    create,
    delete,
    inputs_from,
    update,
)
from infra.local.kubernetes_provider.ownership import field_manager
from infra.local.kubernetes_provider.readiness import BadWaitFor
from infra.local.kubernetes_provider.replies import (
    abort_partly,
    failures,
    kept_state,
    name_for,
    property_diff,
    reference,
    unreachable_words,
)
from infra.local.kubernetes_provider.values import decode, encode, mark_secrets, plain
from infra.local.kubernetes_provider.waiting import NotReady, judge_now

NOTICE = (
    "Kubernetes objects go through Model Units' stand-in for Pulumi's Kubernetes provider: the official one "
    "is not installed, and this machine cannot download it. It only talks to clusters on this machine."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """The provider once it is configured; without a cluster, the reason why there is none."""

    settings: Settings
    cluster: Cluster | None
    why_unreachable: str = ""

    def reachable(self) -> Cluster:
        """Return the cluster, or fail."""
        if self.cluster is None:
            raise Unreachable(f"configured Kubernetes cluster is unreachable: {self.why_unreachable}")
        return self.cluster


class KubernetesProvider(provider_pb2_grpc.ResourceProviderServicer):
    """One provider resource's process."""

    def __init__(self, engine: str | None) -> None:
        self._log = Log(engine)
        self._cancelled = threading.Event()
        self._configured: Configured | None = None

    def cancel(self) -> None:
        """End every wait."""
        self._cancelled.set()

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """End every wait: the engine is being cancelled."""
        self.cancel()
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        """Say the version of the official provider that this stands for."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(
        self, request: provider_pb2.GetSchemaRequest, context: grpc.ServicerContext
    ) -> provider_pb2.GetSchemaResponse:
        """Return a schema without types: the program registers its objects without them."""
        return provider_pb2.GetSchemaResponse(schema=json.dumps({"name": "kubernetes", "version": VERSION}))

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        """Say what we understand."""
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=True, supports_autonaming_configuration=True
        )

    def Attach(self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Learn the engine's address late, as when the provider was started by hand."""
        self._log = Log(request.address)
        return empty_pb2.Empty()

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Accept the provider's configuration as it is; what cannot be is refused when it is used."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        """Say whether a changed configuration means another cluster."""
        diff = configuration_diff(plain(decode(request.olds)), plain(decode(request.news)))
        changes = provider_pb2.DiffResponse.DIFF_SOME if diff.changed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=changes, diffs=diff.changed, replaces=diff.replaces)

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        """Find the cluster; go on without one, as a preview may not need it."""
        self._log.info(NOTICE)
        with failures(context):
            settings = settings_from(dict(request.variables), os.environ)
            try:
                cluster = Cluster(load(settings))
                cluster.check()
            except (Unreachable, ApiError) as error:
                self._log.warning(f"configured Kubernetes cluster is unreachable: {error}")
                self._configured = Configured(settings=settings, cluster=None, why_unreachable=str(error))
            else:
                self._configured = Configured(settings=settings, cluster=cluster)
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
        )

    def Check(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """Return the inputs with a name, or say what is wrong with them."""
        ready = self._ready()
        if ready.cluster is None and ready.settings.skip_update_unreachable and request.olds.fields:
            self._log.warning("the cluster is unreachable: leaving the resource as it is", request.urn)
            return provider_pb2.CheckResponse(inputs=request.olds)
        given = decode(request.news)
        try:
            inputs = checked(
                plain(given),
                plain(decode(request.olds)),
                resource_name=name_for(request),
                default_namespace=ready.settings.namespace,
            )
        except (Refused, BadWaitFor) as error:
            return provider_pb2.CheckResponse(
                inputs=request.news, failures=[provider_pb2.CheckFailure(reason=str(error))]
            )
        return provider_pb2.CheckResponse(inputs=encode(mark_secrets(inputs, given)))

    def Diff(
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        """Say which fields change, and whether that replaces the object."""
        old_inputs, old_live = from_checkpoint(plain(decode(request.olds)))
        diff = object_diff(
            old_live=old_live,
            old_inputs=old_inputs,
            new_inputs=plain(decode(request.news)),
            ignore=tuple(request.ignoreChanges),
            mutability=self._ready().settings.mutability,
        )
        some = provider_pb2.DiffResponse.DIFF_SOME if diff.fields else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(
            changes=some,
            replaces=diff.replaces,
            deleteBeforeReplace=diff.delete_before_replace,
            detailedDiff={change.path: property_diff(change) for change in diff.fields},
            hasDetailedDiff=True,
        )

    def Create(
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        """Create an object, or preview that."""
        ready = self._ready()
        if request.preview and ready.cluster is None:
            return provider_pb2.CreateResponse(properties=request.properties)
        given = decode(request.properties)
        inputs = plain(given)
        manager = field_manager(inputs, {}, secrets.token_hex(4))
        with failures(context):
            doing = self._doing(ready, request.urn, timeout=request.timeout, preview=request.preview)
            try:
                live = create(doing, inputs, manager)
            except NotReady as error:
                state = kept_state(given, inputs, error.live, text_at(inputs, "apiVersion"), manager)
                abort_partly(context, f"created, but not ready: {error}", error.live, state)
                raise
        if live is None:
            return provider_pb2.CreateResponse(properties=request.properties)
        return provider_pb2.CreateResponse(
            id="" if request.preview else id_of(live),
            properties=encode(kept_state(given, inputs, live, text_at(inputs, "apiVersion"), manager)),
        )

    def Update(
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        """Update an object, or preview that."""
        ready = self._ready()
        if request.preview and ready.cluster is None:
            return provider_pb2.UpdateResponse(properties=request.news)
        given = decode(request.news)
        inputs, old_state = plain(given), plain(decode(request.olds))
        old_inputs, old_live = from_checkpoint(old_state)
        initial = text_at(old_state, INITIAL_API_VERSION) or text_at(old_inputs, "apiVersion")
        manager = field_manager(inputs, old_state, secrets.token_hex(4))
        with failures(context):
            doing = self._doing(
                ready,
                request.urn,
                timeout=request.timeout,
                preview=request.preview,
                ignore=tuple(request.ignoreChanges),
            )
            try:
                live = update(doing, inputs, old_live, manager)
            except NotReady as error:
                state = kept_state(given, inputs, error.live, initial, manager)
                abort_partly(context, f"updated, but not ready: {error}", error.live, state)
                raise
        if live is None:
            return provider_pb2.UpdateResponse(properties=request.news)
        return provider_pb2.UpdateResponse(
            properties=encode(kept_state(given, inputs, live, initial, manager))
        )

    def Read(
        self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ReadResponse:
        """Return an object as it is now; nothing where it is gone."""
        ready = self._ready()
        if ready.cluster is None:
            return self._read_unreachable(ready, request, context)
        cluster = ready.cluster
        given = decode(request.inputs)
        old_inputs, old_state = plain(given), plain(decode(request.properties))
        with failures(context):
            live = cluster.exists(reference(request, old_inputs, from_checkpoint(old_state)[1]))
            if live is None:
                return provider_pb2.ReadResponse()
            inputs = inputs_from(live, old_inputs)
            initial = text_at(old_state, INITIAL_API_VERSION) or text_at(inputs, "apiVersion")
            manager = field_manager(inputs, old_state, secrets.token_hex(4))
            state = kept_state(given, inputs, live, initial, manager)
            marked = encode(mark_secrets(inputs, given))
            verdict = judge_now(cluster, old_inputs, live)
            if not verdict.ready:
                message = f"{said(live)} is not ready: {verdict.words}"
                abort_partly(context, message, live, state, inputs=mark_secrets(inputs, given))
            return provider_pb2.ReadResponse(id=request.id, properties=encode(state), inputs=marked)

    def _read_unreachable(
        self, ready: Configured, request: provider_pb2.ReadRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ReadResponse:
        if ready.settings.delete_unreachable:
            self._log.info("the cluster is unreachable: taking the resource out of the state", request.urn)
            return provider_pb2.ReadResponse()
        if ready.settings.skip_update_unreachable:
            return provider_pb2.ReadResponse(
                id=request.id, properties=request.properties, inputs=request.inputs
            )
        words = unreachable_words("failed to read resource state", ready.why_unreachable)
        context.abort(grpc.StatusCode.UNKNOWN, words)
        raise AssertionError("abort raises")

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Delete an object, and wait until it is gone."""
        ready = self._ready()
        if ready.cluster is None:
            if ready.settings.delete_unreachable:
                self._log.info(
                    "the cluster is unreachable: taking the resource out of the state", request.urn
                )
                return empty_pb2.Empty()
            words = unreachable_words("failed to delete", ready.why_unreachable)
            context.abort(grpc.StatusCode.UNKNOWN, words)
        state = decode(request.properties)
        inputs, live = from_checkpoint(plain(state))
        with failures(context):
            try:
                delete(self._doing(ready, request.urn, timeout=request.timeout), inputs, live)
            except NotReady as error:
                abort_partly(context, str(error), error.live, state)
                raise
        return empty_pb2.Empty()

    def _ready(self) -> Configured:
        if self._configured is None:
            raise AssertionError("the engine configures a provider before it uses it")
        return self._configured

    def _doing(
        self,
        ready: Configured,
        urn: str,
        *,
        timeout: float,
        preview: bool = False,
        ignore: tuple[str, ...] = (),
    ) -> Doing:
        return Doing(
            cluster=ready.reachable(),
            settings=ready.settings,
            tell=StatusTeller(self._log, urn),
            cancelled=self._cancelled,
            custom_timeout=timeout,
            preview=preview,
            ignore=ignore,
        )
