"""Error answers of the service: an HTTP status and `{"error": {"code", "message"}}`."""

from starlette.responses import JSONResponse


class ServiceError(Exception):  # an answer, not a DDFAError
    """An error answer.

    Args:
        status: HTTP status.
        code: identifier for programs.
        message: one sentence for people that names the fix.
        retry_s: value of the Retry-After header, s.
    """

    def __init__(self, status: int, code: str, message: str, retry_s: int | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.retry_s = status, code, retry_s
        self.message = message.encode(errors="replace").decode()  # it may quote lone surrogates, which JSON cannot hold

    def response(self) -> JSONResponse:
        """The HTTP response."""
        headers = {} if self.retry_s is None else {"Retry-After": str(self.retry_s)}
        if self.status == 401:
            headers["WWW-Authenticate"] = "X-API-Key"
        return JSONResponse(self.as_dict(), self.status, headers)

    def as_dict(self) -> dict[str, dict[str, str]]:
        """The body of the response."""
        return {"error": {"code": self.code, "message": self.message}}


def internal() -> ServiceError:
    """An unexpected exception."""
    return ServiceError(500, "internal", "an internal error occurred: please report it")


def busy() -> ServiceError:
    """The queue is full."""
    return ServiceError(429, "busy", "the service is busy: try again in a second", retry_s=1)


def too_large(limit: int) -> ServiceError:
    """The request has too many bytes."""
    return ServiceError(413, "too_large", f"a request may have at most {limit / 1e6:g} MB: send a smaller image")
